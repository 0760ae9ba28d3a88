import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { before, describe, it } from 'node:test'
import { makePlace, name } from '../engine/tfjs-place.ts'
import { agreesOnDefault } from './default-by-engine.ts'
import { serveArchives } from './tfjs-archives.ts'

// The engine tfjs-node-gpu, its native part brought by `npm run setup:tfjs-node`: on its CPU device where there is no card.

const root = join(import.meta.dirname, '../..')
const own = { ...process.env }
delete own['NODE_TEST_CONTEXT'] // else the tests would report to this run
const env = { ...own, TEST_ENGINES: 'tfjs-node-gpu' }
const setUp = (): string => execFileSync('npm', ['run', 'setup:tfjs-node'], { cwd: root, encoding: 'utf8' })

describe('tfjs-node-gpu', () => {
  before(() => assert.match(setUp(), /1 · 3 \+ 2 · 4 = 11 by tfjs-node-gpu, TensorFlow /))

  it('is set up once', () => {
    assert.match(setUp(), /\nIt is there: 1 · 3 \+ 2 · 4 = 11 by tfjs-node-gpu, TensorFlow .*\n$/)
  })

  it("takes what the package's own installer brings where that works", async (t) => {
    const place = makePlace()
    const child = spawn('npm', ['run', 'setup:tfjs-node'], {
      ...{ cwd: place, stdio: ['ignore', 'pipe', 'inherit'] },
      env: { ...own, ...(await serveArchives(t, join(root, 'node_modules', name))) },
    })
    const lines = (await text(child.stdout)).trim().split('\n').slice(-2)
    assert.match(lines[0]!, /installer downloads/)
    assert.match(lines[1]!, /^1 · 3 \+ 2 · 4 = 11 by tfjs-node-gpu, TensorFlow /)
    const manifests = [place, root].map((folder) => readFileSync(join(folder, 'node_modules', name, 'package.json')))
    assert.deepEqual(manifests[0], manifests[1])
  })

  for (const [file, least] of [
    ['test/engine/ops.test.ts', 190],
    ['test/engine/engine.test.ts', 10],
    ['test/engine/oracle.test.ts', 130],
    ['test/model/reference.test.ts', 10],
    ['test/system/on-tfjs-node.ts', 5],
  ] as const) {
    it(`passes ${file}`, () => {
      const flags = ['--import', 'tsx', '--test', '--test-reporter=tap']
      const { stdout, status } = spawnSync(process.execPath, [...flags, file], { encoding: 'utf8', env, cwd: root })
      const failed = stdout.split('\n').filter((line) => /^ *(not ok|error:)/.test(line))
      assert.deepEqual([status, failed], [0, []], stdout.slice(-4000))
      assert.ok(Number(/^# pass (\d+)/m.exec(stdout)?.[1]) >= least, `${file} ran too few tests`)
    })
  }

  it('runs the embedded default, which comes out as by onnx-cpu', (t) => agreesOnDefault(t, 'tfjs-node-gpu'))
})
