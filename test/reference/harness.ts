// FOLDER, written by harness.py: prints set by set how many items get the harness's answer; exit code 1 if any does not.
import { openEngine } from '../../lib/engine/index.ts'
import { agreementOf } from './agreement.ts'

const engine = await openEngine({ name: 'onnx-cpu', threads: 2 })
const found = await agreementOf(process.argv[2]!, engine)
await engine.dispose()
for (const { name, items, agreeing, largestDifference, figures } of found) {
  const told = Object.entries(figures).map(
    ([figure, [theirs, ours]]) => `${figure} ${theirs.toFixed(4)} ${ours.toFixed(4)}`,
  )
  const difference = `log-probabilities within ${largestDifference.toExponential(1)}`
  process.stdout.write(
    `${name}: ${agreeing} of ${items} agree, ${difference}; the harness's and ours: ${told.join(', ')}\n`,
  )
}
const sum = (of: 'agreeing' | 'items') => found.reduce((total, set) => total + set[of], 0)
process.stdout.write(`${sum('agreeing')} of ${sum('items')} items agree\n`)
process.exitCode = sum('agreeing') === sum('items') ? 0 : 1
