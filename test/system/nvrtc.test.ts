import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openCompiler } from '../../lib/engine/cuda/compiler.ts'
import { openCompilerLibrary } from '../../lib/engine/cuda/libraries.ts'
import { loadFfi } from '../../lib/engine/ffi.ts'
import { nvrtcHome } from './nvrtc.ts'

const root = mkdtempSync(join(tmpdir(), 'nvrtc-'))
after(() => rmSync(root, { recursive: true }))
const ffi = await loadFfi()

const SOURCE = 'extern "C" __global__ void root(float* x) { x[threadIdx.x] = sqrtf(x[threadIdx.x]); }\n'
const ELF = Buffer.from('\x7fELF')

for (const cuda of [12, 13] as const) {
  describe(`NVRTC ${cuda}, as PyPI has it`, () => {
    const library = openCompilerLibrary(ffi, { env: { CUDA_HOME: nvrtcHome(cuda) }, local: root }, cuda)
    const folder = join(root, String(cuda))

    for (const architecture of ['sm_80', 'sm_90', 'sm_100'] as const) {
      it(`compiles for ${architecture}, once`, () => {
        const own = join(folder, architecture)
        const compiler = openCompiler(library, architecture, own)
        assert.match(compiler.name, new RegExp(`^NVRTC ${cuda}\\.\\d+$`))
        const cubin = compiler.compile(SOURCE)
        assert.ok(ELF.equals(cubin.subarray(0, 4)))
        // where ELF names the machine: CUDA
        assert.equal(Buffer.from(cubin).readUInt16LE(18), 190)
        const [file] = readdirSync(own)
        const kept = readFileSync(join(own, file!))
        assert.deepEqual(Buffer.from(openCompiler(library, architecture, own).compile(SOURCE)), Buffer.from(cubin))
        assert.deepEqual(readdirSync(own), [file])
        assert.deepEqual(readFileSync(join(own, file!)), kept)
      })
    }

    it('compiles an expression nested 1,000 deep', () => {
      const nested = `${'('.repeat(1000)}x[0]${' + 1)'.repeat(1000)}`
      const source = `extern "C" __global__ void deep(float* x) { x[0] = ${nested}; }\n`
      assert.ok(openCompiler(library, 'sm_90', folder).compile(source).length > 0)
    })

    it('refuses a kernel with its log, and keeps both', () => {
      const source = SOURCE.replace('sqrtf', 'squareroot')
      assert.throws(
        () => openCompiler(library, 'sm_90', folder).compile(source),
        ({ message }: Error) => {
          const told =
            /^Internal error: (NVRTC .*) refuses a kernel \(--gpu-architecture=sm_90\): (.*)\nSource "(.*)", whole log "(.*)"$/s
          const [, name, log, sourceFile, logFile] = told.exec(message)!
          assert.match(name!, new RegExp(`^NVRTC ${cuda}\\.`))
          assert.match(log!, /^kernels\.cu\(1\): error: identifier "squareroot" is undefined/)
          assert.equal(readFileSync(sourceFile!, 'utf8'), source)
          assert.equal(readFileSync(logFile!, 'utf8'), log)
          return true
        },
      )
    })

    it('is told to be too old for a card that it does not know', () => {
      assert.throws(() => openCompiler(library, 'sm_999', folder), {
        code: 'CUDA_OLD',
        message: /^NVRTC .* compiles for .*sm_90.*, and this card is sm_999: install a newer CUDA$/,
      })
    })
  })
}

it('kernels are taken from the cache: what is there is not compiled again', () => {
  const folder = join(root, 'kept')
  const library = openCompilerLibrary(ffi, { env: { CUDA_HOME: nvrtcHome(13) }, local: root }, 13)
  const compiler = openCompiler(library, 'sm_90', folder)
  const [first, second] = [compiler.compile(SOURCE), compiler.compile(SOURCE.replace('root', 'other'))]
  const files = readdirSync(folder).map((name) => join(folder, name))
  const holds = (cubin: Uint8Array): string => files.find((file) => readFileSync(file).subarray(32).equals(cubin))!
  // the one in the place of the other: a compiler would not give it
  copyFileSync(holds(second), holds(first))
  assert.deepEqual(compiler.compile(SOURCE), Buffer.from(second))
})
