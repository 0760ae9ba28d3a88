// FOLDER, written by harness.py: prints set by set how many items get the harness's answer, and the figures of both; exit
// code 1 if an answer or a figure differs.
import { openEngine } from '../../lib/engine/index.ts'
import { agreementOf, sameFigure } from './agreement.ts'

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
const figures = found.flatMap((set) => Object.values(set.figures))
const same = sum('agreeing') === sum('items') && figures.every(([theirs, ours]) => sameFigure(theirs, ours))
process.exitCode = same ? 0 : 1
