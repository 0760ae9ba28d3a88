import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { test } from 'node:test'
import { openLog } from '../../lib/pipeline/stage-log.ts'
import { Rig, shell, stage } from './rig.ts'

function write(rig: Rig, most: number, ...chunks: readonly (string | Buffer)[]): string[] {
  const lines: string[] = []
  const log = openLog(rig.path('log.txt'), (line) => lines.push(line), most)
  for (const chunk of chunks) log.write(Buffer.from(chunk))
  log.close()
  return lines
}

test('lines are whole, however they arrive; the last one needs no end', (t) => {
  const rig = new Rig(t)
  const [first, second] = [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)]
  assert.deepEqual(write(rig, 1000, 'a', 'b\nc', first, second, '\n\nd'), ['ab', 'cé', '', 'd'])
  assert.equal(rig.read('log.txt'), 'ab\ncé\n\nd')
})

test('a log is cut where it has its size, and says so; a long line is told by its beginning', (t) => {
  const rig = new Rig(t)
  assert.deepEqual(write(rig, 10, '12345\n', '789\nmore\n', 'more'), ['12345', '789'])
  assert.equal(rig.read('log.txt'), '12345\n789\n\n[cut: a log keeps its first 10 bytes]\n')
  const [line] = write(rig, 1e6, 'x'.repeat(9000), 'x'.repeat(9000))
  assert.equal(line, 'x'.repeat(4096))
})

const KEPT = 64 * 1024 * 1024

test(
  'a stage that writes 1 GB, of one line and of many, does not grow the memory of who runs it',
  { timeout: 120_000 },
  async (t) => {
    const rig = new Rig(t)
    const noisy = (name: string, script: string) => [
      stage(name, shell(`${script}; echo x > "$PIPELINE_OUT_TEXT"`), { out: { text: 'text.txt' } }),
    ]
    const onEvent = (): void => undefined
    await rig.run(noisy('small', 'seq 100000'), { onEvent })
    const before = process.resourceUsage().maxRSS
    const script = "head -c 50000000 /dev/zero | tr '\\0' x; yes 'a line of a log' | head -c 950000000"
    const { failures } = await rig.run(noisy('large', script), { onEvent })
    const grown = (process.resourceUsage().maxRSS - before) / 1024
    assert.deepEqual(failures, [])
    t.diagnostic(`grown by ${grown.toFixed(0)} MB`)
    assert.ok(grown < 100, `grown by ${grown.toFixed(0)} MB`)
    assert.ok(statSync(rig.path('artifacts/large/log.txt')).size < KEPT + 100)
  },
)
