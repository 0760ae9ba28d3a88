import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { unitOf } from '../../lib/engine/cuda/kernels.ts'
import { openCompilerLibrary } from '../../lib/engine/cuda/libraries.ts'
import { bind, find, handleFrom } from '../../lib/engine/cuda/native.ts'
import type { Library } from '../../lib/engine/cuda/native.ts'
import { plan } from '../../lib/engine/cuda/plan.ts'
import { loadFfi } from '../../lib/engine/ffi.ts'
import { nvrtcHome } from './nvrtc.ts'
import { trainingGraphs } from '../engine/cuda/sources.ts'

const root = mkdtempSync(join(tmpdir(), 'nvrtc-tables-'))
after(() => rmSync(root, { recursive: true }))

const prototypes = {
  nvrtcCreateProgram:
    'void *program, const char *source, const char *name, int headers, void *contents, void *includeNames',
  nvrtcGetPTXSize: 'void *program, void *bytes',
  nvrtcGetPTX: 'void *program, void *ptx',
  nvrtcDestroyProgram: 'void *program',
}

/** What NVRTC makes of a source before it makes machine code. */
function ptxOf(library: Library, source: string, architecture: number): string {
  const nvrtc = bind(library, prototypes, (name, status) => assert.fail(`${name}: ${status}`))
  const compile = find(library, 'int', 'nvrtcCompileProgram(void *program, int count, const char **options)')
  const program = handleFrom((place) => nvrtc.nvrtcCreateProgram(place, source, 'tables.cu', 0, null, null))
  const options = [`--gpu-architecture=compute_${architecture}`, '--std=c++17', '-default-device']
  assert.equal(compile(program, options.length, options), 0)
  const ptx = Buffer.alloc(Number(handleFrom((place) => nvrtc.nvrtcGetPTXSize(program, place))))
  nvrtc.nvrtcGetPTX(program, ptx)
  nvrtc.nvrtcDestroyProgram(BigUint64Array.of(program))
  return ptx.toString()
}

const [step] = await trainingGraphs()
const texts = plan(step!, 'bf16').calls.flatMap((call) => (call.kind === 'launch' ? [call.source.text] : []))
const { source, names } = unitOf([...new Set(texts.filter((text) => text.startsWith('struct ')))], 'bf16')
const ffi = await loadFfi()

for (const cuda of [12, 13] as const) {
  describe(`kernels that take a table of pointers, as NVRTC ${cuda} compiles them`, () => {
    const library = openCompilerLibrary(ffi, { env: { CUDA_HOME: nvrtcHome(cuda) }, local: root }, cuda)
    for (const architecture of [80, 90, 100]) {
      it(`read it where it lies, and the card's memory as such: compute_${architecture}`, () => {
        const ptx = ptxOf(library, source, architecture)
        assert.equal(ptx.match(/\.entry /g)?.length, names.length)
        assert.ok(names.length > 10)
        // no thread has a table of its own, and no load has to find out what memory it is of
        assert.deepEqual(ptx.match(/^.*\b(?:ld|st)\.(?:local|[a-z]\d+|v\d).*$/gm), null)
        assert.match(ptx, /ld\.global\.nc\./)
      })
    }
  })
}
