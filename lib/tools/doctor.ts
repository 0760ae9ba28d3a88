import { availableParallelism } from 'node:os'
import { diagnose } from '../engine/probe.ts'
import type { Diagnosis } from '../engine/probe.ts'

/** Says which engines work here and which one `auto` takes: one line of JSON with `--json`, else lines for people. */
const diagnosis = await diagnose(availableParallelism())
process.stdout.write(process.argv.includes('--json') ? `${JSON.stringify(diagnosis)}\n` : words(diagnosis))

function words({ engines, auto }: Diagnosis): string {
  const lines = engines.map(({ name, works, device, why }) =>
    works ? `${name}: works (${device ?? ''}). ${why}.` : `${name}: does not work: ${why}`,
  )
  return `${[...lines, `auto takes ${auto ?? 'nothing: no engine works here'}`].join('\n')}\n`
}
