import assert from 'node:assert/strict'
import { chmodSync, existsSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { drive } from '../pipeline/drive.ts'
import type { Drive } from '../pipeline/drive.ts'
import { shell, stage } from '../pipeline/rig.ts'
import type { Rig } from '../pipeline/rig.ts'
import { assertRecovers, assertRight, rigWithInput, two } from './recover.ts'

const timeout = 120_000
/** Permissions bind root too, once it has put these powers down. */
const wrapper =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search,-fowner', '--'] : []

async function bound(rig: Rig): Promise<{ run: Drive; code: number | null; said: string[] }> {
  const run = await drive(rig, two, { wrapper })
  const { code } = await run.ended
  const said = run.told.flatMap(({ type, code }) => (/failure|notice|error/.test(type) ? [code!] : []))
  return { run, code, said }
}

/** What a run says where the mode of something is taken away: a failure to write, or a result that it makes anew. */
const PLACES: Readonly<Record<string, [path: (rig: Rig) => string, mode: number, says: string[]]>> = {
  'an input that may not be read': [(rig) => rig.path('input.txt'), 0, ['INPUT_UNREADABLE']],
  'an output that may not be read': [(rig) => rig.path('artifacts/first/text.txt'), 0, ['RESULT_DAMAGED']],
  'a manifest that may not be read': [(rig) => rig.path('artifacts/first/manifest.json'), 0, ['RESULT_DAMAGED']],
  "a result's folder that may not be entered": [
    (rig) => realpathSync(rig.path('artifacts/first')),
    0,
    ['NOT_WRITABLE'],
  ],
  "a stage's folder that may not be entered": [(rig) => rig.path('artifacts/store/first'), 0, ['NOT_WRITABLE']],
  'a store that may not be entered': [(rig) => rig.path('artifacts/store'), 0, ['NOT_WRITABLE']],
  'artifacts that may not be entered': [(rig) => rig.path('artifacts'), 0, ['NOT_WRITABLE']],
  'experiments that may not be entered': [(rig) => rig.path('artifacts/experiments'), 0, ['NOT_WRITABLE']],
  'a store that may not be written': [(rig) => rig.path('artifacts/store'), 0o555, []],
  "a stage's folder that may not be written": [(rig) => rig.path('artifacts/store/first'), 0o555, []],
  'artifacts that may not be written': [(rig) => rig.path('artifacts'), 0o555, []],
  'a cache that may not be read': [(rig) => rig.path('node_modules/.cache/pipeline'), 0, []],
}

for (const [what, [place, mode, says]] of Object.entries(PLACES)) {
  test(`${what}: nothing wrong is restored, and it is said`, { timeout }, async (t) => {
    const rig = rigWithInput(t)
    await rig.run(two)
    const path = place(rig)
    const before = statSync(path).mode
    chmodSync(path, mode)
    t.after(() => existsSync(path) && chmodSync(path, before))
    const { code, said, run } = await bound(rig)
    assert.deepEqual([...new Set(said)], says, JSON.stringify(run.told))
    assert.equal(code === 0, !says.some((one) => one !== 'RESULT_DAMAGED'))
    if (existsSync(path)) chmodSync(path, before)
    await assertRecovers(rig, two)
  })
}

for (const place of ['artifacts', 'artifacts/store']) {
  test(`${place} is a link to a disk that is not there: said, and right once it is`, { timeout }, async (t) => {
    const rig = rigWithInput(t)
    if (place !== 'artifacts') await rig.run(two)
    rmSync(rig.path(place), { recursive: true, force: true })
    symlinkSync(rig.path('disk'), rig.path(place))
    const { code, said } = await bound(rig)
    assert.deepEqual([code === 0, said], [false, ['STORE_MISSING']])
    rig.write('disk/some', '')
    await assertRecovers(rig, two)
    assertRight(rig, two)
    assert.ok(existsSync(join(rig.path('disk'), place === 'artifacts' ? 'store' : 'first')))
  })
}

for (const [what, path] of [
  ['an input', 'input.txt'],
  ['a file in an input', 'data/sub/a.txt'],
  ['a folder in an input', 'data/sub'],
] as const) {
  test(`${what} that may not be read is a mistake of the user, named; nothing runs`, { timeout }, async (t) => {
    const rig = rigWithInput(t)
    rig.write('data/sub/a.txt', 'a')
    const stages = [
      stage('copy', shell('touch "$PIPELINE_OUT_TEXT"'), {
        in: { text: './input.txt', all: './data' },
        out: { text: 'text.txt' },
      }),
    ]
    const { mode } = statSync(rig.path(path))
    chmodSync(rig.path(path), 0)
    const run = await drive(rig, stages, { wrapper })
    const { code } = await run.ended
    chmodSync(rig.path(path), mode)
    assert.equal(code, 2)
    const [told] = run.told.filter(({ type }) => type === 'error')
    assert.equal(told?.code, 'INPUT_UNREADABLE')
    assert.ok(
      told.message!.includes(`"${rig.path(path)}" may not be read (EACCES). Change its permissions.`),
      told.message,
    )
    assert.ok(!existsSync(rig.path('artifacts/copy')))
  })
}
