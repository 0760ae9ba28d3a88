import { median } from '../figures.ts'
import { openNamed } from './engine.ts'
import { deviceMemory, say, sayMemory } from './measured.ts'
import { matmulRate, stepOperations } from './rate.ts'
import { openStep, teacherWidth } from './step.ts'

/** train-step-ours ENGINE ROWS CONTEXT SECONDS */
const [name = '', rows = '8', context = '1024', seconds = '15'] = process.argv.slice(2)
const part = 'train-step'
const before = deviceMemory()
const engine = await openNamed(name)
const { tokens, program, memory, feeds } = await openStep(engine, Number(rows), Number(context))
const times: number[] = []
let now = feeds(0)
const started = performance.now()
for (let step = 0; step < 3 || performance.now() - started < Number(seconds) * 1000; step++) {
  const at = performance.now()
  const running = program.run(now, memory)
  now = feeds(step + 1)
  program.prefetch?.(now)
  const { loss } = await running
  if (!Number.isFinite(loss!.data[0])) throw new Error(`the loss of step ${step} is ${loss!.data[0]}`)
  times.push(performance.now() - at)
  if (step === 0) say({ part, who: engine.device, what: 'the first step', unit: 's', value: times[0]! / 1000 })
}
const typical = median(times.slice(2))
say({ part, who: engine.device, what: `a step of ${rows} × ${context} tokens`, unit: 'ms', value: typical })
say({ part, who: engine.device, what: 'training', unit: 'tokens/s', value: (tokens / typical) * 1000 })
sayMemory(part, engine.device, before)
await program.dispose()
memory.dispose()
const rate = await matmulRate(engine)
const share = stepOperations(tokens, Number(context), teacherWidth) / (typical / 1000) / rate
say({ part, who: engine.device, what: 'products of 8192²', unit: 'TFLOP/s', value: rate / 1e12 })
say({ part, who: engine.device, what: 'share of that rate in a step', unit: '%', value: 100 * share })
process.exit(0) // the driver's threads would hold the process
