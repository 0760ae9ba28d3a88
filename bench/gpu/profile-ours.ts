import { openCuda } from '../../lib/engine/cuda/engine.ts'
import type { Device, Replay } from '../../lib/engine/cuda/device.ts'
import { openCard } from '../../lib/engine/cuda/open-card.ts'
import type { CudaPrecision } from '../../lib/engine/precision.ts'
import { median } from '../figures.ts'
import { openStep } from './step.ts'

/**
 * profile-ours PRECISION ROWS CONTEXT: what each call of a training step takes on the card alone, in µs: its kernel's
 * name or its product's shape, how many such calls there are, and what they take together. The longest first.
 */
const [precision = 'bf16', rows = '8', context = '1024'] = process.argv.slice(2)

interface Timed {
  readonly what: string
  readonly once: () => void
}

const repeats = 10
const card = await openCard()
const recorded: Timed[] = []
let recording = false

/** The card, whose recorded calls are kept one by one. */
const watched = new Proxy(card, {
  get(target, key: keyof Device) {
    const own: unknown = Reflect.get(target, key)
    if (typeof own !== 'function') return own
    const call = (own as (...given: unknown[]) => unknown).bind(target)
    if (key === 'record') return record
    return (...given: unknown[]): unknown => {
      if (recording) recorded.push({ what: describe(key, given), once: () => call(...given) })
      return call(...given)
    }
  },
})

function record(body: () => void): Replay {
  recording = true
  const replay = card.record(body)
  recording = false
  return replay
}

function describe(key: string, given: readonly unknown[]): string {
  if (key === 'launch') {
    const [kernel, { blocks }] = given as [{ name: string }, { blocks: readonly number[] }]
    return `kernel ${kernel.name}, ${blocks[0]} blocks`
  }
  if (key === 'multiply') {
    const { shape } = given[0] as { shape: Record<string, number | boolean | string> }
    const { batch, m, n, k, transposeA, transposeB, input, output, accumulate } = shape
    const form = `${transposeA === true ? 'Aᵀ' : 'A'}·${transposeB === true ? 'Bᵀ' : 'B'}`
    return `multiply ${batch} × [${m},${k}]·[${k},${n}] ${form} ${input} to ${output}${accumulate === true ? ', added' : ''}`
  }
  return `${key} ${given.slice(1).join(' ')}`
}

/** Microseconds of one. */
function time({ once }: Timed): number {
  const replay = card.record(() => {
    for (let i = 0; i < repeats; i++) once()
  })
  const times = Array.from({ length: 3 }, () => {
    card.synchronize()
    const at = performance.now()
    replay.run()
    card.synchronize()
    return ((performance.now() - at) * 1000) / repeats
  })
  replay.dispose()
  return Math.min(...times)
}

const engine = openCuda(watched, { precision: precision as CudaPrecision })
const { program, memory, feeds } = await openStep(engine, Number(rows), Number(context))
const whole: number[] = []
let now = feeds(0)
for (let step = 0; step < 12; step++) {
  const at = performance.now()
  const running = program.run(now, memory)
  now = feeds(step + 1)
  program.prefetch?.(now)
  await running
  whole.push(performance.now() - at)
}
console.log(`a step: ${median(whole.slice(2)).toFixed(2)} ms, of ${recorded.length} calls`)
const upload = performance.now()
const address = card.allocate(feeds(0)['teacherHidden']!.data.byteLength)
for (let i = 0; i < 4; i++) card.upload(address, feeds(0)['teacherHidden']!.data)
card.synchronize()
console.log(`an upload of the targets: ${((performance.now() - upload) / 4).toFixed(2)} ms`)
const groups = new Map<string, number[]>()
for (const one of recorded) groups.set(one.what, [...(groups.get(one.what) ?? []), time(one)])
const sum = (times: readonly number[]): number => times.reduce((all, one) => all + one, 0)
const sorted = [...groups].sort(([, a], [, b]) => sum(b) - sum(a))
console.log(`all calls one by one: ${(sum(sorted.map(([, times]) => sum(times))) / 1000).toFixed(2)} ms`)
for (const [what, times] of sorted) {
  console.log(
    `${sum(times).toFixed(0).padStart(7)} µs = ${times.length} × ${(sum(times) / times.length).toFixed(1)}: ${what}`,
  )
}
process.exit(0) // the driver's threads would hold the process
