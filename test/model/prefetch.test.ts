import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Engine, Feeds, Program } from '../../lib/engine/engine.ts'
import { runEach } from '../../lib/model/programs.ts'
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

it('training says before its first step what it takes of a device, of each program its own', async () => {
  const said: string[] = []
  let compiled = 0
  const needing = (program: Program): Program => {
    const needs = { own: 2 ** 30, state: ++compiled * 2 ** 30 }
    return { needs, run: (feeds, memory) => program.run(feeds, memory), dispose: () => program.dispose() }
  }
  const device: Engine = {
    ...engine,
    compile: async (graph) => needing(await engine.compile(graph)),
    room: () => 5.5 * 2 ** 30,
  }
  const onStep = (step: number): void => void said.push(`step ${step}`)
  const setup = { ...options, accumulate: 2, rate: { ...options.rate, steps: 1 } }
  await trained({ inputs: taught.inputs, options: setup }, { engine: device, onStep, log: (line) => said.push(line) })
  assert.equal(compiled, 3)
  const line = '3.0 GiB for weights and what goes with them, 3.0 GiB for what is computed, of 8.5 GiB that are free'
  assert.deepEqual(said, [`memory of the device: ${line}`, 'step 1'])
})

describe('where the next feeds cannot be had', () => {
  /** What comes of a run that ends so, and whether it had ended by then. */
  async function failing(end: () => void): Promise<{ message: string; hasEnded: boolean }> {
    let hasEnded = false
    const program: Program = {
      run: async () => {
        await new Promise(setImmediate)
        hasEnded = true
        end()
        return {}
      },
      prefetch: () => undefined,
      dispose: () => Promise.resolve(),
    }
    const following = (): never => {
      throw new Error('cut short')
    }
    const runs = runEach(program, engine.memory(), [{}], following)
    const message = await runs.next().then(
      () => 'none',
      (error: unknown) => (error as Error).message,
    )
    return { message, hasEnded }
  }

  it('says so once the run is done that is under way', async () => {
    assert.deepEqual(await failing(() => undefined), { message: 'cut short', hasEnded: true })
  })

  it('tells the error of that run, if it has one', async () => {
    const lost = (): never => {
      throw new Error('the device is lost')
    }
    assert.deepEqual(await failing(lost), { message: 'the device is lost', hasEnded: true })
  })
})
