import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { makePlace, name } from './tfjs-place.ts'

// What is said where the native part is missing or broken. That it works is in test/system/tfjs-node.test.ts.

const start = 'the engine "tfjs-node-gpu" does not work here: '

function messageOf(place: string, choice = 'tfjs-node-gpu'): string {
  const script = `
    import { openEngine } from './lib/engine/index.ts'
    openEngine({ name: '${choice}', threads: 1 }).then(({ name }) => console.log(name), ({ message }) => console.log(message))`
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', script]
  return spawnSync(process.execPath, flags, { cwd: place, encoding: 'utf8' }).stdout.trim()
}

describe('tfjs-node-gpu, asked for by name, says why it does not work and what to do', () => {
  it('where its native part is not there', () => {
    const why = `the native part of ${name} is not there: run \`npm run setup:tfjs-node\`, which brings it`
    assert.equal(messageOf(makePlace()).split('; ')[0], start + why)
  })

  it('where its native part does not load, and "auto" goes on to the next', () => {
    const place = makePlace()
    const folder = join(place, 'node_modules', name, 'lib', 'napi-v8')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'tfjs_binding.node'), 'no library')
    const message = messageOf(place)
    assert.ok(message.startsWith(`${start}the native part of ${name} does not load (`), message)
    assert.match(
      message,
      /tfjs_binding\.node.*\): run `npm run setup:tfjs-node`, which brings it anew; `--engine auto` takes /,
    )
    assert.match(messageOf(place, 'auto'), /^(cuda|onnx-webgpu|onnx-cpu)$/)
  })

  it('where its package is not there', () => {
    const place = makePlace()
    rmSync(join(place, 'node_modules', name), { recursive: true })
    const why = `the package ${name} is not installed: \`npm install ${name}\`, then run \`npm run setup:tfjs-node\`, which brings it`
    assert.equal(messageOf(place).split('; ')[0], start + why)
  })
})

describe('setup:tfjs-node', () => {
  const setUp = (place: string, env: NodeJS.ProcessEnv): ReturnType<typeof spawnSync> => {
    const flags = ['--import', 'tsx', 'lib/engine/tfjs/setup/main.ts']
    const nowhere = 'http://127.0.0.1:9/' // the discard service, which nobody runs
    return spawnSync(process.execPath, flags, {
      ...{ cwd: place, encoding: 'utf8' },
      env: { ...process.env, TFJS_NODE_BASE_URI: nowhere, ...env },
    })
  }

  it('says what it lacks where there is neither the host of the package nor pip', () => {
    const place = makePlace()
    const { status, stdout, stderr } = setUp(place, { PATH: join(place, 'empty') })
    assert.equal(status, 1)
    assert.match(
      String(stdout),
      /installer downloads .*\nThat does not work here \(.*ECONNREFUSED.*\)\.\ntensorflow(-cpu)?==/,
    )
    assert.match(
      String(stderr),
      /^error: `python3 -m pip download tensorflow.*` failed \(.*ENOENT\): it needs python3 with pip \(Debian: python3-pip\) and PyPI\n$/,
    )
    const left = readdirSync(join(place, 'node_modules', name)).filter((one) => one.startsWith('deps-'))
    assert.deepEqual(left, [])
  })

  it('says that the package is to be installed first', () => {
    const place = makePlace()
    rmSync(join(place, 'node_modules', name), { recursive: true })
    const { status, stderr } = setUp(place, {})
    assert.deepEqual([status, stderr], [1, `error: the package ${name} is not installed: run \`npm install\` first, without --omit=optional\n`]) // prettier-ignore
  })
})
