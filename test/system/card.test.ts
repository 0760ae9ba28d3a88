import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Diagnosis, EngineFacts } from '../../lib/util/diagnosis.ts'
import { nvrtcEnvironment } from './nvrtc.ts'

const project = join(import.meta.dirname, '..', '..')
const root = mkdtempSync(join(tmpdir(), 'card-'))
after(() => rmSync(root, { recursive: true }))

const whole = standIn('whole')
compile('cuda.cc', join(whole, 'libcuda.so.1'), '-Wl,-soname,stand-in-cuda.so')
compile('cublasLt.cc', join(whole, 'libcublasLt.so.13'), join(whole, 'libcuda.so.1'))
symlinkSync('libcublasLt.so.13', join(whole, 'libcublasLt.so.12'))

const gpuTests = readdirSync(join(project, 'test', 'gpu'))
  .filter((name) => name.endsWith('.test.ts') && name !== 'engine.test.ts') // its kernels need more than a stand-in
  .map((name) => join('test', 'gpu', name))

describe('the tests of a card, on a stand-in for one', () => {
  it('pass with CUDA 13', () => {
    passes(gpuTests, { CUDA_HOME: join(root, 'whole'), VIRTUAL_ENV: nvrtcEnvironment(13) })
  })

  it('pass with CUDA 12', () => {
    const few = gpuTests.filter((file) => !file.endsWith('products.test.ts'))
    const env = { CUDA_HOME: join(root, 'whole'), VIRTUAL_ENV: nvrtcEnvironment(12), STAND_IN_VERSION: '12080' }
    passes(few, env)
  })
})

describe('opening a card', () => {
  const env = { CUDA_HOME: join(root, 'whole'), VIRTUAL_ENV: nvrtcEnvironment(13) }

  it('names it with its memory', () => {
    assert.deepEqual(open(env), { name: 'Stand-in, 3.0 GiB' })
  })

  it('refuses a driver of CUDA 11', () => {
    const message = 'the driver runs CUDA 11.8, expected 12 or more: install a newer driver'
    assert.deepEqual(open({ ...env, STAND_IN_VERSION: '11080' }), { code: 'CUDA_OLD', exitCode: 1, message })
  })

  it('refuses a card from before Ampere', () => {
    const message =
      'Stand-in has compute capability 7.5, expected 8.0 or more (Ampere or newer): choose another card with CUDA_VISIBLE_DEVICES'
    assert.deepEqual(open({ ...env, STAND_IN_CAPABILITY: '75' }), { code: 'CUDA_OLD', exitCode: 1, message })
  })

  it('refuses a card that its compiler does not know', () => {
    const { code, message } = open({ ...env, STAND_IN_CAPABILITY: '999' })
    assert.equal(code, 'CUDA_OLD')
    assert.match(message!, /^NVRTC 13\.0 compiles for .*, and this card is sm_999: install a newer CUDA$/)
  })

  it('tells which library lacks which function', () => {
    const wrong = standIn('wrong')
    copyFileSync(join(whole, 'libcuda.so.1'), join(wrong, 'libcuda.so.1'))
    copyFileSync(join(whole, 'libcuda.so.1'), join(wrong, 'libcublasLt.so.13'))
    const { code, message } = open({ ...env, CUDA_HOME: join(root, 'wrong') })
    assert.equal(code, 'CUDA_OLD')
    const file = join(wrong, 'libcublasLt.so.13')
    assert.equal(message, `"${file}" does not have "cublasLtGetStatusName(int status)": install CUDA 12 or 13`)
  })

  it('tells that there is no driver', () => {
    const opened = open({})
    if (existsSync('/proc/driver/nvidia/version')) assert.match(opened.name!, /^NVIDIA /)
    else {
      assert.deepEqual([opened.code, opened.exitCode], ['CUDA_MISSING', 1])
      assert.match(
        opened.message!,
        /^NVIDIA's driver, libcuda\.so\.1, is needed, and it is not in the loader's folders /,
      )
    }
  })
})

describe('the doctor, of a card', () => {
  const env = { CUDA_HOME: join(root, 'whole'), VIRTUAL_ENV: nvrtcEnvironment(13) }

  it('tells its driver, what it is able to do, its memory and where its libraries are', () => {
    const { backend, device, driver, memory, libraries } = examined(env)
    assert.deepEqual([backend, device], ['CUDA 13.0', 'Stand-in'])
    assert.match(driver!, /compute capability 9\.0$/)
    assert.deepEqual(memory, { total: 3 * 2 ** 30, free: 3 * 2 ** 30 })
    const [cuda, nvrtc, cublas] = libraries.map(({ path }) => path)
    assert.deepEqual([cuda, cublas], [join(whole, 'libcuda.so.1'), join(whole, 'libcublasLt.so.13')])
    assert.match(nvrtc!, /\/nvidia\/cu13\/lib\/libnvrtc\.so\.13$/)
  })

  it('finds where the loader found a library by its name', () => {
    const { libraries } = examined({ LD_LIBRARY_PATH: whole, VIRTUAL_ENV: root })
    assert.deepEqual(libraries[0], { name: 'libcuda', path: join(whole, 'libcuda.so.1') })
  })

  it('advises what is missing beside it, in one command', () => {
    const bare = standIn('bare')
    copyFileSync(join(whole, 'libcuda.so.1'), join(bare, 'libcuda.so.1'))
    const adviceFor = (more: Environment): string =>
      examined({ CUDA_HOME: join(root, 'bare'), VIRTUAL_ENV: root, ...more }).advice[0]!
    assert.match(adviceFor({}), /NVRTC and cuBLASLt are not: pip install nvidia-cuda-nvrtc nvidia-cublas, or set/)
    assert.match(
      adviceFor({ STAND_IN_VERSION: '12080' }),
      /: pip install nvidia-cuda-nvrtc-cu12 nvidia-cublas-cu12, or/,
    )
    assert.match(adviceFor({ STAND_IN_VERSION: '11080' }), /runs CUDA 11\.8: install one of 525 or newer/)
    assert.match(adviceFor({ STAND_IN_CAPABILITY: '75' }), /^The Stand-in is older than .* \(compute capability 7\.5/)
  })

  it('survives a driver that crashes, and says so', () => {
    const { engines, auto, advice } = diagnosed({ ...env, STAND_IN_CRASH: '1' })
    const { works, state, why } = engines.find(({ name }) => name === 'cuda')!
    assert.deepEqual([works, state, why], [false, 'crashed', 'crashed (SIGSEGV)'])
    assert.equal(auto, 'onnx-cpu')
    assert.match(
      advice.join('\n'),
      /"auto" tries cuda first in a run, too \(crashed \(SIGSEGV\)\): give --engine onnx-cpu/,
    )
  })
})

function standIn(name: string): string {
  const folder = join(root, name, 'lib64')
  mkdirSync(folder, { recursive: true })
  return folder
}

function compile(source: string, into: string, ...rest: string[]): void {
  const path = join(import.meta.dirname, 'stand-in', source)
  execFileSync('g++', ['-std=c++17', '-O2', '-shared', '-fPIC', '-o', into, path, ...rest], { stdio: ['ignore', 2, 2] })
}

type Environment = Readonly<Record<string, string>>

function node(args: readonly string[], env: Environment): { status: number | null; stdout: string; stderr: string } {
  const environment = { PATH: process.env['PATH'], ...env }
  return spawnSync(process.execPath, ['--import', 'tsx', ...args], { cwd: project, env: environment, encoding: 'utf8' })
}

function passes(files: readonly string[], env: Environment): void {
  const { status, stdout } = node(['--test', '--test-reporter=spec', ...files], env)
  assert.equal(status, 0, stdout)
  assert.match(stdout, /^ℹ pass \d{2,}$/m)
}

interface Opened {
  readonly name?: string
  readonly code?: string
  readonly exitCode?: number
  readonly message?: string
}

function open(env: Environment): Opened {
  const script = `
    import { openCard } from './lib/engine/cuda/open-card.ts'
    const told = await openCard().then(({ name }) => ({ name }), ({ code, exitCode, message }) => ({ code, exitCode, message }))
    console.log(JSON.stringify(told))`
  const { stdout, stderr } = node(['--input-type=module', '--eval', script], env)
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout) as Opened
}

function examined(env: Environment): EngineFacts {
  const script = `
    import { factsOf } from './lib/engine/probe.ts'
    import { thisMachine } from './lib/util/machine.ts'
    console.log(JSON.stringify(await factsOf('cuda', thisMachine())))`
  const { stdout, stderr } = node(['--input-type=module', '--eval', script], env)
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout) as EngineFacts
}

function diagnosed(env: Environment): Diagnosis {
  const environment = { PATH: process.env['PATH'], ...env }
  const command = ['lib/cli/bin.cjs', 'doctor', '--json']
  const { stdout, stderr } = spawnSync(process.execPath, command, { cwd: project, env: environment, encoding: 'utf8' })
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout) as Diagnosis
}
