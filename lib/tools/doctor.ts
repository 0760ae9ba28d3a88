import { availableParallelism } from 'node:os'
import { diagnose } from '../engine/probe.ts'
import { answer } from '../util/answer.ts'

/** Says which engines work here and which one `auto` takes. */
await answer(() => diagnose(availableParallelism()))
