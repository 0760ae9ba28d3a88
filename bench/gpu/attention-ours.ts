import type { AttentionKernel, AttentionShape, Mask, Tiling } from '../../lib/engine/cuda/attention/shape.ts'
import type { Device } from '../../lib/engine/cuda/device.ts'
import { openCard } from '../../lib/engine/cuda/open-card.ts'
import { Rig, choicesFor, distances, kernelsOf } from '../../test/engine/cuda/attention-rig.ts'
import type { Chosen } from '../../test/engine/cuda/attention-rig.ts'
import { median } from '../figures.ts'
import { say } from './measured.ts'

/**
 * attention-ours [PRECISION …]: attention's kernels in each of their tilings against float64, and how fast they are, for
 * GPT-2 124M at 8 × 1,024 tokens and GPT-Neo-2.7B's layers of both kinds. Exit code 1 where one is wrong.
 */
const part = 'attention'
const launchesAtOnce = 20
const asked = process.argv.slice(2)
const precisions = (['bf16', 'fp32', 'tf32'] as const).filter((one) => asked.length === 0 || asked.includes(one))
type Shape = Omit<AttentionShape, 'precision'>
const none = { window: undefined, mask: undefined, pitches: {} }
const joined = (channels: number): AttentionShape['pitches'] => ({ q: 3 * channels, k: 3 * channels, v: 3 * channels })
const gpt2: Shape = {
  ...none,
  ...{ batch: 8, heads: 12, length: 1024, width: 64, scale: 1 / 8, causal: true, pitches: joined(768) },
}
const neo: Shape = { ...none, batch: 8, heads: 20, length: 1024, width: 128, scale: 1 / 8, causal: true }
const timed: readonly Shape[] = [gpt2, neo, { ...neo, window: 256 }]

const document = (token: string): string => `(${token}) / 50`
const documents: Mask = {
  lines: [],
  value: `${document('i')} == ${document('j')} ? 0.0f : -1e9f`,
  declarations: [],
}
const odd: readonly Shape[] = [
  { ...none, batch: 2, heads: 3, length: 1, width: 64, scale: 1, causal: true },
  { ...none, batch: 2, heads: 3, length: 333, width: 16, scale: 0.25, causal: true, window: 70 },
  { ...none, batch: 1, heads: 2, length: 200, width: 48, scale: 0.2, causal: false, pitches: joined(96) },
  { ...none, batch: 2, heads: 2, length: 257, width: 64, scale: 1 / 8, causal: true, mask: documents },
  { ...none, batch: 2, heads: 2, length: 300, width: 128, scale: 0.1, causal: false, mask: documents },
]

let wrong = 0
const card = await openCard()
const eachOf = (shapes: readonly Shape[]): readonly AttentionShape[] =>
  precisions.flatMap((precision) => shapes.map((shape) => ({ ...shape, precision })))
for (const shape of eachOf(timed)) {
  const rig = new Rig(card, shape)
  for (const chosen of choicesFor(shape)) check(rig, shape, chosen, [[3, 5]])
  time(card, rig, shape)
  rig.free()
}
for (const shape of eachOf(odd)) {
  const rig = new Rig(card, shape)
  // compiling takes most of the time: the tilings are all tried where there is most to go wrong
  for (const chosen of choicesFor(shape).slice(0, shape.mask ? undefined : 1)) check(rig, shape, chosen, [[0, 1], [shape.batch - 1, 0]]) // prettier-ignore
  rig.free()
}
process.exit(wrong > 0 ? 1 : 0) // the driver's threads would hold the process

function nameOf({ precision, batch, heads, length, width, causal, window, mask }: AttentionShape): string {
  const kind = window ? `a window of ${window}` : causal ? 'causal' : 'all'
  return `${batch * heads} × ${length} × ${width}, ${kind}${mask ? ', documents' : ''}${precision === 'bf16' ? '' : `, ${precision}`}`
}

function check(rig: Rig, shape: AttentionShape, chosen: Chosen, places: readonly (readonly [number, number])[]): void {
  for (const launch of rig.launches(kernelsOf(shape, chosen))) launch()
  rig.download()
  const added = (i: number, j: number): number => (shape.mask && Math.floor(i / 50) !== Math.floor(j / 50) ? -1e9 : 0)
  const found = places.flatMap(([b, h]) => distances(rig, shape, chosen, b, h, added))
  const strayed = rig.strayed()
  const isRight = strayed === 0 && found.every(({ worst, typical }) => worst <= 1 && typical <= 1)
  if (!isRight) wrong++
  const told = found.map(({ what, worst, typical }) => `${what} ${worst.toFixed(2)} ${typical.toFixed(2)}`)
  console.log(
    `${isRight ? 'right' : 'WRONG'}: ${nameOf(shape)}, ${tilingOf(chosen)}: ${told.join(', ')}; ${strayed} strayed`,
  )
}

function tilingOf(chosen: object): string {
  return JSON.stringify(chosen).replaceAll('"', '')
}

/** Every tiling of every kernel; then the fastest ones together, as one would run them. */
function time(device: Device, rig: Rig, shape: AttentionShape): void {
  const fastest = new Map<string, number>()
  const known = new Map<string, number>()
  for (const chosen of choicesFor(shape)) {
    const kernels = kernelsOf(shape, chosen)
    const launches = rig.launches(kernels)
    kernels.forEach((kernel, n) => {
      const name = kernel.tensors[0]!
      const microseconds = known.get(kernel.text) ?? measure(device, launches[n]!)
      if (!known.has(kernel.text))
        tell(shape, kernel, [chosen.forward, undefined, chosen.queryGradient, chosen.keyGradients][n], microseconds)
      known.set(kernel.text, microseconds)
      fastest.set(name, Math.min(microseconds, fastest.get(name) ?? Infinity))
    })
  }
  const [forward, delta, dq, dk] = ['o', 'delta', 'dq', 'dk'].map((name) => fastest.get(name)!)
  sayRate(device, `forward, ${nameOf(shape)}`, forward!, 4 * products(shape))
  sayRate(device, `backward, ${nameOf(shape)}`, delta! + dq! + dk!, 10 * products(shape))
}

function tell(
  shape: AttentionShape,
  { tensors, grid }: AttentionKernel,
  tiling: Tiling | undefined,
  microseconds: number,
): void {
  const kind = tensors[0] === 'o' ? 4 : tensors[0] === 'dq' ? 6 : 8
  const rate = !tiling ? '' : `, ${((kind * products(shape)) / microseconds / 1e6).toFixed(0)} TFLOP/s`
  const how = tiling ? ` ${tilingOf(tiling)}` : ''
  console.log(`  ${tensors[0]!}${how}, ${grid.shared ?? 0} B: ${microseconds.toFixed(1)} µs${rate}`)
}

function sayRate({ name: who }: Device, what: string, microseconds: number, operations: number): void {
  say({ part, who, what, unit: 'µs', value: microseconds })
  say({ part, who, what: `rate of ${what}`, unit: 'TFLOP/s', value: operations / microseconds / 1e6 })
}

/** Multiplications of one product of all queries that see a key with it. */
function products({ batch, heads, length, width, causal, window = Infinity }: AttentionShape): number {
  let pairs = 0
  for (let i = 0; i < length; i++) pairs += causal ? Math.min(i + 1, window) : length
  return batch * heads * pairs * width
}

/** µs of one launch, of many in a row; the median of five. */
function measure(device: Device, launch: () => void): number {
  const replay = device.record(() => {
    for (let n = 0; n < launchesAtOnce; n++) launch()
  })
  const once = (): number => {
    const started = performance.now()
    replay.run()
    device.synchronize()
    return ((performance.now() - started) * 1000) / launchesAtOnce
  }
  once()
  const found = median(Array.from({ length: 5 }, once))
  replay.dispose()
  return found
}
