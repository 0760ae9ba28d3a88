import { availableParallelism } from 'node:os'
import { openEngine } from '../engine/index.ts'
import { hold } from '../model/likelihood.ts'
import { logitsOf } from '../model/logits.ts'
import { answer } from '../util/answer.ts'
import { openModel } from './open-model.ts'

/** SOURCE IDS ENGINE: a row of logits a token. */
const [source, ids, name] = process.argv.slice(2) as [string, string, string]
await answer(async () => {
  const { model } = await openModel(source)
  const engine = await openEngine({ name, threads: availableParallelism() })
  try {
    const rows = await logitsOf(hold(engine, model), JSON.parse(ids) as number[])
    return rows.map((row) => Array.from(row))
  } finally {
    await engine.dispose()
  }
})
