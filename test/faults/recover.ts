import assert from 'node:assert/strict'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import type { Stage } from '../../lib/pipeline/pipeline.ts'
import { drive } from '../pipeline/drive.ts'
import type { Drive } from '../pipeline/drive.ts'
import { Rig, shell, stage } from '../pipeline/rig.ts'

export const TEXT = '0123456789'.repeat(20)
const SLOWLY = 'for i in 1 2 3 4; do cat "$PIPELINE_IN_TEXT" >> "$PIPELINE_OUT_TEXT"; done'
const FOLDER = 'mkdir "$PIPELINE_OUT_ALL"; for i in a b c; do cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_ALL/$i"; done'

/** A stage whose outputs are a file and a folder. */
export const one = [
  stage('first', shell(`${SLOWLY}; ${FOLDER}`), {
    in: { text: './input.txt' },
    out: { text: 'text.txt', all: 'all' },
  }),
]
export const two = [...one, stage('second', shell(SLOWLY), { in: { text: 'first.text' }, out: { text: 'text.txt' } })]

export function rigWithInput(t: ConstructorParameters<typeof Rig>[0]): Rig {
  const rig = new Rig(t)
  rig.write('input.txt', TEXT)
  return rig
}

/** The outputs of a clean run, and no others. */
export function assertRight(rig: Rig, stages: readonly Stage[], what?: string): void {
  assert.equal(rig.read('artifacts/first/text.txt'), TEXT.repeat(4), what)
  assert.deepEqual(readdirSync(rig.path('artifacts/first/all')), ['a', 'b', 'c'], what)
  for (const name of ['a', 'b', 'c']) assert.equal(rig.read(`artifacts/first/all/${name}`), TEXT, what)
  if (stages.length > 1) assert.equal(rig.read('artifacts/second/text.txt'), TEXT.repeat(16), what)
}

/** After whatever happened, a run must give the right bytes and leave nothing half made behind; gives its outcomes. */
export async function assertRecovers(rig: Rig, stages: readonly Stage[], what?: string): Promise<string[]> {
  const outcomes = await rig.outcomes(stages)
  assert.ok(
    outcomes.every((outcome) => /ran|restored|fresh/.test(outcome)),
    `${what ?? ''} ${outcomes.join()}`,
  )
  assertRight(rig, stages, what)
  const notices = rig.notices().filter((code) => code !== 'LOCK_WAIT') // for a host that ends in a moment
  assert.deepEqual(notices, [], `${what ?? ''}: a half-published result was found`)
  for (const { name } of stages) {
    const left = readdirSync(rig.path('artifacts/store', name)).filter((file) => /^\.(tmp|lock)/.test(file))
    assert.deepEqual(left, [], what)
  }
  const fresh = stages.map(({ name }) => `${name}: fresh`)
  assert.deepEqual(await rig.outcomes(stages), fresh, what)
  return outcomes
}

export interface Injected {
  readonly env: Readonly<Record<string, string>>
}
export type Fault = (rig: Rig, at: number) => Injected

/** How many writes below artifacts a clean run makes, by a fault's own count; all that is made once has been made before. */
async function countWrites(rig: Rig, stages: readonly Stage[], fault: Fault): Promise<number> {
  const count = rig.path('..', `${basename(rig.root)}.count`)
  for (let i = 0; i < 2; i++) {
    rmSync(rig.path('artifacts'), { recursive: true, force: true, maxRetries: 5 })
    const env = { ...fault(rig, 0).env, INJECT_COUNT: count }
    assert.equal((await (await drive(rig, stages, { env })).ended).code, 0)
  }
  const writes = Number(readFileSync(count, 'utf8'))
  rmSync(count)
  return writes
}

/** Runs with a fault at each write in turn, or one in `step`, two at a time, each in a rig of its own, and tests what comes of it. */
export async function atEachWrite(
  rigs: readonly Rig[],
  stages: readonly Stage[],
  fault: Fault,
  step: number,
  test: (rig: Rig, run: Drive, at: number) => Promise<void>,
): Promise<number> {
  const writes = await countWrites(rigs[0]!, stages, fault)
  const points = Array.from({ length: Math.ceil(writes / step) }, (_, i) => 1 + i * step)
  const next = async (rig: Rig): Promise<void> => {
    for (let at = points.shift(); at !== undefined; at = points.shift()) {
      rmSync(rig.path('artifacts'), { recursive: true, force: true, maxRetries: 5 })
      const run = await drive(rig, stages, fault(rig, at))
      await run.ended
      await test(rig, run, at)
    }
  }
  await Promise.all(rigs.map(next))
  return writes
}

export const inject =
  (what: 'kill' | 'ENOSPC'): Fault =>
  (rig, at) => ({ env: { INJECT: what, INJECT_AT: String(at), INJECT_ONLY: `${rig.root}/artifacts` } })

/** At a write, when the file system had committed by itself what the first `commit` writes named. */
export const cutPower =
  (commit: (at: number) => number): Fault =>
  (rig, at) => ({
    env: {
      ...inject('kill')(rig, at).env,
      INJECT: 'power',
      INJECT_DISK: rig.root,
      INJECT_COMMIT: String(commit(at)),
    },
  })
