import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTargets, openTargets } from '../../lib/data/targets.ts'
import type { Targets } from '../../lib/data/targets.ts'
import type { Split } from '../../lib/data/tokens.ts'
import { Rows } from '../../lib/model/batches.ts'
import type { Trained } from '../../lib/model/train.ts'
import { fromHalf } from '../../lib/util/half.ts'
import { stream } from './rig.ts'
import { inParts, newFolder, taught, teacherOf, text, trained } from './training.ts'
import type { Setup } from './training.ts'

const extra = stream(61, 13, 3)

/** A teacher's targets in a file; whoever asks closes them. */
function onDisk(model: string, split: Split): Targets {
  const { targets } = teacherOf(model, split)
  const { header } = targets
  const file = newFolder()
  const writer = createTargets(file, header)
  writer.append(targets.columns(0, header.count), header.count)
  writer.commit()
  const opened = openTargets(file)
  assert.ok(opened.ok)
  return opened.value
}

const widened = (of: Targets): Targets => ({
  header: of.header,
  columns: (start, count) => of.columns(start, count),
  close: () => of.close(),
})

/** With targets from files, of the text and of what is mixed in: as halves, or as their float32. */
async function learned(setup: Setup, as: 'halves' | 'float32'): Promise<Trained> {
  const [main, mixed] = [onDisk('teacher', text.train), onDisk('other', extra)]
  const seen = as === 'halves' ? (one: Targets) => one : widened
  const whole = teacherOf('teacher', text.train)
  assert.ok('head' in whole)
  const { head, objective, shape } = whole
  const fed = as === 'halves' ? ({ fed: 'float16' } as const) : {}
  const teacher = { objective, head, targets: seen(main), shape: { ...shape, ...fed } }
  const inputs = { ...setup.inputs, teacher, mixed: [{ name: 'x', train: extra, weight: 1, targets: seen(mixed) }] }
  const found = await trained({ ...setup, inputs })
  main.close()
  mixed.close()
  return found
}

describe('hidden states as halves', () => {
  for (const [what, setup] of [
    ['a step at once', taught],
    ['a step in parts', inParts],
  ] as const) {
    it(`teach to the byte what their float32 teaches: ${what}`, async () => {
      const [halves, full] = [await learned(setup, 'halves'), await learned(setup, 'float32')]
      assert.deepEqual(halves.points, full.points)
      assert.deepEqual(halves.weights, full.weights)
    })
  }

  it('are those of their rows, 0 in the padding', () => {
    const targets = onDisk('teacher', text.train)
    const rows = new Rows(text.train, 12)
    const indices = [3, rows.windows.length - 1, 99]
    const [halves, full] = [rows.targets(indices, targets), rows.targets(indices, widened(targets))]
    const { data } = halves['hidden']!
    assert.ok(data instanceof Uint16Array)
    assert.deepEqual(fromHalf(data), full['hidden']!.data)
    targets.close()
  })

  it('are read from the file alone, within its records', () => {
    const targets = onDisk('teacher', text.train)
    const two = new Uint16Array(30)
    assert.throws(() => targets.halves!(148, two), /Internal error: records 148 to 150 of 149/)
    targets.halves!(147, two)
    assert.deepEqual(fromHalf(two), targets.columns(147, 2)['hidden'])
    targets.close()
  })
})
