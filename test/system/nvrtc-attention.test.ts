import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import type { AttentionShape } from '../../lib/engine/cuda/attention/shape.ts'
import { openCompiler } from '../../lib/engine/cuda/compiler.ts'
import { unitOf } from '../../lib/engine/cuda/kernels.ts'
import { openCompilerLibrary } from '../../lib/engine/cuda/libraries.ts'
import { plan } from '../../lib/engine/cuda/plan.ts'
import { isAttention } from '../../lib/engine/cuda/view.ts'
import { loadFfi } from '../../lib/engine/ffi.ts'
import { choicesFor, kernelsOf } from '../engine/cuda/attention-rig.ts'
import type { Chosen } from '../engine/cuda/attention-rig.ts'
import { maskedGraphs } from '../engine/cuda/sources.ts'
import { nvrtcHome } from './nvrtc.ts'

const root = mkdtempSync(join(tmpdir(), 'nvrtc-attention-'))
after(() => {
  rmSync(root, { recursive: true })
})
const ffi = await loadFfi()

const sizes = {
  precision: 'bf16',
  batch: 2,
  heads: 3,
  scale: 0.1,
  pitches: {},
  window: undefined,
  mask: undefined,
} as const
const lines = ['const int own = p0[b * 200 + i];']
const mask = { lines, value: 'own == p0[b * 200 + j] ? 0.0f : -1e9f', declarations: ['const int* __restrict__ p0'] }
const shapes: readonly AttentionShape[] = [
  { ...sizes, length: 1024, width: 64, causal: true },
  { ...sizes, length: 1024, width: 128, causal: true, window: 256, pitches: { q: 3840, k: 3840, v: 3840 } },
  { ...sizes, length: 200, width: 32, causal: false },
  { ...sizes, length: 200, width: 48, causal: false, mask },
  { ...sizes, length: 200, width: 16, causal: true, window: 50, mask },
]

const models = [
  ...maskedGraphs['a training within segments, from positions'](),
  ...(await maskedGraphs['scores of trees']()),
]
const masked = models.flatMap((graph) =>
  plan(graph, 'bf16').calls.flatMap((call) =>
    call.kind === 'launch' && call.nodes.some(isAttention) ? [call.source.text] : [],
  ),
)

for (const [cuda, architectures] of [
  [12, ['sm_80']],
  [13, ['sm_80', 'sm_90', 'sm_100']],
] as const) {
  const library = openCompilerLibrary(ffi, { env: { CUDA_HOME: nvrtcHome(cuda) }, local: root }, cuda)
  for (const architecture of architectures) {
    for (const precision of ['bf16', 'fp32', 'tf32'] as const) {
      it(`NVRTC ${cuda} compiles attention for ${architecture} with products of ${precision}`, () => {
        const own = shapes.map((shape) => ({ ...shape, precision }))
        // of float32, whose kernels take the compiler long, all tilings once, and for each card the one that is taken
        const isWhole = precision === 'bf16' || architecture === 'sm_90'
        const choices = (shape: AttentionShape): readonly Chosen[] =>
          choicesFor(shape).slice(0, isWhole ? undefined : 1)
        const texts = own.flatMap((shape) => choices(shape).flatMap((chosen) => kernelsOf(shape, chosen)))
        for (const { grid } of texts) assert.ok((grid.shared ?? 0) <= 99 * 1024, `a block has ${grid.shared} bytes`)
        const { source } = unitOf([...new Set(texts.map(({ text }) => text))], precision)
        assert.ok(openCompiler(library, architecture, root).compile(source).length > 0)
      })
    }

    it(`NVRTC ${cuda} compiles the masks of models for ${architecture}`, () => {
      const { source } = unitOf([...new Set(masked)], 'bf16')
      assert.ok(openCompiler(library, architecture, root).compile(source).length > 0)
    })
  }
}
