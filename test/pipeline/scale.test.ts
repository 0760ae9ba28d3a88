import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { chainYaml, matrixYaml } from '../../bench/noop/large.ts'
import { loadPipeline } from '../../lib/pipeline/config.ts'
import { makeSource } from '../../lib/pipeline/source.ts'
import { readPlainYaml } from '../../lib/pipeline/plain-yaml.ts'
import { planRun } from '../../lib/pipeline/plan.ts'
import type { Plan } from '../../lib/pipeline/plan.ts'

describe('a large pipeline', () => {
  it('is planned: a chain of 20,000 stages', async () => {
    const { stages } = await planOf(chainYaml(20_000))
    assert.equal(stages.length, 20_000)
    assert.ok(stages.every(({ stage, state }, i) => stage === `s${i}` && state === 'run'))
    assert.equal(stages.filter(({ key }) => key !== null).length, 1)
  })

  it('is planned: a matrix of 10,000 cells', async () => {
    const { stages } = await planOf(matrixYaml(100, 100))
    assert.equal(stages.length, 10_000)
    assert.equal(stages[9_999]!.stage, 'cell[x99,y99]')
    assert.equal(new Set(stages.map(({ key }) => key)).size, 10_000)
  })

  it('is read without the library, which would take seconds', () => {
    for (const text of [chainYaml(10), matrixYaml(2, 3)]) assert.ok(readPlainYaml(makeSource('pipeline.yaml', text)))
  })

  it('has a cycle of 20,000 stages named by its path, shortened', async () => {
    await inFolder(chainYaml(20_000).replace('a: input.txt', 'a: s19999.b'), async (file) => {
      const loaded = await loadPipeline({ file, overlays: [], sets: [] })
      assert.ok(!loaded.ok)
      assert.deepEqual(
        loaded.error.map(({ code, place }) => `${code} ${place!.line}`),
        ['STAGE_CYCLE 5'],
      )
      assert.match(loaded.error[0]!.message, /: s0 → s19999 → s19998 .*… → .*s2 → s1 → s0\. Remove one/)
      assert.ok(loaded.error[0]!.message.length < 300)
    })
  })
})

const planOf = (yaml: string): Promise<Plan> =>
  inFolder(yaml, async (file) => {
    const loaded = await loadPipeline({ file, overlays: [], sets: [] })
    if (!loaded.ok) assert.fail(loaded.error[0]!.message)
    const plan = await planRun(loaded.value, { resolveRevisions: () => Promise.resolve([]) })
    if (!plan.ok) assert.fail(plan.error[0]!.message)
    return plan.value
  })

async function inFolder<T>(yaml: string, use: (file: string) => Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'scale-'))
  try {
    writeFileSync(join(root, 'pipeline.yaml'), yaml)
    writeFileSync(join(root, 'input.txt'), 'x\n')
    writeFileSync(join(root, 'package.json'), '{"private":true}')
    return await use(join(root, 'pipeline.yaml'))
  } finally {
    rmSync(root, { recursive: true })
  }
}
