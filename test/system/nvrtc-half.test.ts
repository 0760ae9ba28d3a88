import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { openCompiler } from '../../lib/engine/cuda/compiler.ts'
import { loadFfi } from '../../lib/engine/ffi.ts'
import { nvrtcHome } from './nvrtc.ts'

// a process of its own: another NVRTC would bring what this one lacks
it('a compiler without what lies beside it is told to be half installed, with its log', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'nvrtc-half-'))
  t.after(() => rmSync(root, { recursive: true }))
  const path = join(root, 'libnvrtc.so.13')
  copyFileSync(join(nvrtcHome(13), 'lib', 'libnvrtc.so.13'), path)
  const compiler = openCompiler({ handle: (await loadFfi()).load(path), path }, 'sm_90', root)
  assert.throws(() => compiler.compile('extern "C" __global__ void one(float* x) { x[0] = 1; }'), {
    code: 'DEVICE_FAILED',
    exitCode: 1,
    message: new RegExp(
      `^nvrtcCompileProgram of "${path}" failed with NVRTC_ERROR_BUILTIN_OPERATION_FAILURE .*libnvrtc-builtins.*: install CUDA again$`,
      's',
    ),
  })
})
