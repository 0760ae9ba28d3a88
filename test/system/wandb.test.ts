import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { losses, makeTrained, METRICS } from '../e2e/trained.ts'
import { askPython, trackerPrograms } from './trackers.ts'

interface OfflineRun {
  readonly id: string
  readonly project: string
  readonly config: Readonly<Record<string, unknown>>
  readonly summary: Readonly<Record<string, unknown>>
  readonly history: readonly Readonly<Record<string, number>>[]
}

describe("Weights & Biases' client, as PyPI has it, without a network", { timeout: 300_000 }, () => {
  const place = makeTrained({ after })
  const runs = (): string[] => readdirSync(join(place.root, 'wandb')).filter((name) => name.startsWith('offline-run-'))
  let hash = ''
  before(async () => {
    const path = `${trackerPrograms()}:${process.env['PATH'] ?? ''}`
    Object.assign(place.env, { WANDB_MODE: 'offline', WANDB_PROJECT: 'tiny', PATH: path })
    const { code, lines, last } = await place.lines()
    assert.equal(code, 0)
    hash = String(last['experiment'])
    assert.deepEqual(
      lines.filter(({ type }) => type === 'logged'),
      [{ type: 'logged', to: 'wandb', where: join(place.root, 'wandb', runs()[0]!) }],
    )
  })

  it('has the run: its id, its parameters, every point of every training, its metrics', () => {
    const file = join(place.root, 'wandb', runs()[0]!, `run-${hash.slice(0, 16)}.wandb`)
    const run = askPython([join(import.meta.dirname, 'read_wandb.py'), file]) as OfflineRun
    assert.deepEqual([run.id, run.project], [hash.slice(0, 16), 'tiny'])
    const own = Object.entries(run.config).filter(([name]) => name !== '_wandb')
    assert.deepEqual(Object.fromEntries(own), {
      rates: [2, 0.9],
      note: { text: 'a "b"', list: [1, 2], on: true },
      untouched: null,
    })
    for (const [stage, rate] of [
      ['distill_2', 2],
      ['distill_0_9', 0.9],
      ['control', 1],
    ] as const) {
      const rows = run.history.filter((row) => `${stage}/loss` in row)
      assert.deepEqual(
        rows.map((row) => [row[`${stage}/step`], row[`${stage}/loss`]]),
        losses(rate),
      )
      // of no other training, nor what its client makes of names with dots
      for (const row of rows) {
        const own = Object.keys(row).filter((key) => !key.startsWith('_'))
        assert.deepEqual(
          own.sort(),
          ['epoch', 'loss', 'rate', 'step', 'terms/kl'].map((measure) => `${stage}/${measure}`),
        )
      }
    }
    assert.equal(run.summary['perplexity/student'], METRICS.perplexity.student)
    assert.equal(run.summary['cells/distill_2'], METRICS.cells['distill[2]'])
    assert.equal(run.summary['experiment'], hash)
  })

  it('would upload it', () => {
    const args = [join(trackerPrograms(), 'wandb'), 'sync', '--dry-run']
    const said = execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', ...args], { cwd: place.root, encoding: 'utf8' })
    assert.match(said, new RegExp(`Would sync 1 run\\(s\\):\\s+wandb: +wandb/.*run-${hash.slice(0, 16)}\\.wandb`))
  })

  it('does not take the same experiment twice, but makes anew what was cut short', async () => {
    const [first] = runs()
    const again = await place.run('log', '--to', 'wandb')
    assert.equal(again.out, `wandb/${first!}\nexperiment ${hash.slice(0, 16)} is there already\n`)
    assert.deepEqual(runs(), [first])
    rmSync(join(place.root, 'wandb', first!, 'whole.txt'))
    assert.equal((await place.run('log', '--to', 'wandb', '--json')).code, 0)
    const [second, ...others] = runs()
    assert.deepEqual(others, [])
    assert.ok(readdirSync(join(place.root, 'wandb', second!)).includes('whole.txt'))
  })

  it('says what its client says where it has no key', async () => {
    Object.assign(place.env, { WANDB_MODE: 'online', WANDB_API_KEY: 'short', HOME: place.root })
    const { code, errors } = await place.run('log', '--to', 'wandb')
    assert.match(
      errors,
      /Weights & Biases at "http.*" took nothing: .*API key must have 40\+ characters.*\[WANDB_FAILED\]/,
    )
    assert.equal(code, 1)
  })
})
