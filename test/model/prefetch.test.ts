import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Engine, Feeds, Program } from '../../lib/engine/engine.ts'
import { engine } from './rig.ts'
import { options, taught, trained } from './training.ts'

/** The engine, as one that takes feeds beforehand: told of in the order of calls. */
function watched(calls: { kind: 'run' | 'prefetch'; feeds: Feeds }[]): Engine {
  const watch = (program: Program): Program => ({
    run: (feeds, memory) => {
      calls.push({ kind: 'run', feeds })
      return program.run(feeds, memory)
    },
    prefetch: (feeds) => void calls.push({ kind: 'prefetch', feeds }),
    dispose: () => program.dispose(),
  })
  return { ...engine, compile: async (graph) => watch(await engine.compile(graph)) }
}

const isLoss = ({ feeds }: { feeds: Feeds }): boolean => 'alpha' in feeds

for (const accumulate of [1, 2]) {
  it(`training gives each micro-batch beforehand, while the one before runs: ${accumulate} a step`, async () => {
    const calls: { kind: 'run' | 'prefetch'; feeds: Feeds }[] = []
    const [steps, setup] = [4, { ...options, accumulate, rate: { ...options.rate, steps: 4 } }]
    const found = await trained({ inputs: taught.inputs, options: setup }, { engine: watched(calls) })
    assert.deepEqual(found, await trained({ inputs: taught.inputs, options: setup }))
    const losses = calls.filter(isLoss)
    const runs = losses.filter(({ kind }) => kind === 'run')
    assert.equal(runs.length, steps * accumulate)
    const expected = runs.flatMap(({ feeds }, n) => {
      const next = runs[n + 1]
      return [{ kind: 'run', feeds }, ...(next ? [{ kind: 'prefetch', feeds: next.feeds }] : [])]
    })
    assert.equal(losses.length, expected.length)
    losses.forEach(({ kind, feeds }, n) => {
      assert.equal(kind, expected[n]!.kind)
      assert.equal(feeds, expected[n]!.feeds) // the very object, which is not copied again
    })
  })
}
