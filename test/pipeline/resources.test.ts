import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Resources } from '../../lib/pipeline/pipeline.ts'
import { Pool, machineCapacity } from '../../lib/pipeline/resources.ts'
import type { Capacity, Grant } from '../../lib/pipeline/resources.ts'
import { Rig, shell, stage } from './rig.ts'

const NOTHING = { gpu: 0, cpu: 0, memory: 0 }

/** A pool whose takers are named, and who has something of it. */
class Takers {
  readonly #pool: Pool
  readonly #grants = new Map<string, Grant>()

  constructor(capacity: Partial<Capacity>) {
    this.#pool = new Pool({ gpus: ['0', '1'], cpu: 8, memory: 100, jobs: 8, ...capacity })
  }

  async take(name: string, resources: Partial<Resources>): Promise<void> {
    void this.#pool.take({ ...NOTHING, ...resources }).then((grant) => this.#grants.set(name, grant))
    await new Promise(setImmediate)
  }

  async release(name: string): Promise<void> {
    this.#grants.get(name)!.release()
    this.#grants.delete(name)
    await new Promise(setImmediate)
  }

  get names(): string {
    return [...this.#grants.keys()].join(' ')
  }

  of(name: string): Pick<Grant, 'gpus' | 'threads'> {
    const { gpus, threads } = this.#grants.get(name)!
    return { gpus, threads }
  }
}

test('GPUs go to one stage each, and come back', async () => {
  const takers = new Takers({})
  for (const name of ['a', 'b', 'c']) await takers.take(name, { gpu: 1 })
  assert.equal(takers.names, 'a b')
  assert.deepEqual(
    [takers.of('a'), takers.of('b')],
    [
      { gpus: ['0'], threads: 1 },
      { gpus: ['1'], threads: 1 },
    ],
  )
  await takers.release('b')
  assert.deepEqual(takers.of('c').gpus, ['1'])
})

const scarce: Readonly<Record<string, [Partial<Capacity>, Partial<Resources>, Partial<Resources>]>> = {
  gpu: [{}, { gpu: 1 }, { gpu: 2 }],
  cpu: [{ cpu: 2 }, { cpu: 1 }, { cpu: 2 }],
  memory: [{}, { memory: 30 }, { memory: 80 }],
  jobs: [{ jobs: 1 }, {}, {}],
}

for (const [what, [capacity, some, much]] of Object.entries(scarce)) {
  test(`${what}: all that is asked for or nothing yet, in the order of asking`, async () => {
    const takers = new Takers(capacity)
    await takers.take('some', some)
    await takers.take('much', much)
    await takers.take('late', some)
    assert.equal(takers.names, 'some', 'who comes late does not overtake, though there is enough for it')
    await takers.release('some')
    assert.equal(takers.names, 'much')
    await takers.release('much')
    assert.equal(takers.names, 'late')
  })
}

test('who asks for more than the machine has gets all of it, once it is free', async () => {
  const takers = new Takers({})
  await takers.take('small', { cpu: 1 })
  await takers.take('huge', { gpu: 9, cpu: 4096, memory: 1e15 })
  assert.equal(takers.names, 'small')
  await takers.release('small')
  assert.deepEqual(takers.of('huge'), { gpus: ['0', '1'], threads: 8 })
})

test('without a GPU there is one stand-in, with all cores for who names none', async () => {
  const takers = new Takers({ gpus: [''] })
  await takers.take('a', { gpu: 1, cpu: 1 })
  await takers.take('b', { gpu: 2 })
  assert.equal(takers.names, 'a')
  assert.deepEqual(takers.of('a'), { gpus: [], threads: 1 })
  await takers.release('a')
  assert.deepEqual(takers.of('b'), { gpus: [], threads: 8 })
})

test('the GPUs of a machine are those that it is allowed to see', () => {
  const gpusOf = (visible: string): readonly string[] =>
    machineCapacity(undefined, { CUDA_VISIBLE_DEVICES: visible }).gpus
  assert.deepEqual([gpusOf('0, 2,0'), gpusOf('GPU-8f'), gpusOf(''), gpusOf('-1')], [['0', '2'], ['GPU-8f'], [''], ['']])
  assert.equal(machineCapacity(3, {}).jobs, 3)
  assert.equal(machineCapacity(undefined, {}).jobs, availableParallelism())
})

function see(t: TestContext, gpus: string): void {
  // of a host of its own
  for (const [name, value] of Object.entries({ CUDA_VISIBLE_DEVICES: gpus, TMPDIR: new Rig(t).root })) {
    const before = process.env[name]
    process.env[name] = value
    t.after(() => {
      if (before === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = before
    })
  }
}

/** Fails where another is at work. */
const ALONE =
  'mkdir busy || exit 9; sleep 0.1; rmdir busy; echo "$CUDA_VISIBLE_DEVICES $PIPELINE_THREADS" > "$PIPELINE_OUT_TEXT"'

test('cells and stages that ask for a GPU never run at once where there is none', { timeout: 60_000 }, async (t) => {
  see(t, '')
  const rig = new Rig(t)
  const resources = { gpu: 1, cpu: 1, memory: 0 }
  const cells = ['a', 'b', 'c'].map((model) =>
    stage(`train[${model}]`, shell(`: ${model}; ${ALONE}`), { cell: { model }, resources, out: { text: 'text.txt' } }),
  )
  const all = [...cells, stage('other', shell(ALONE), { resources, out: { text: 'text.txt' } })]
  const outcomes = await rig.outcomes(all, { jobs: 4 })
  assert.deepEqual(outcomes, ['train[a]: ran', 'train[b]: ran', 'train[c]: ran', 'other: ran'])
  assert.equal(rig.read('artifacts/train/a/text.txt'), ' 1\n')
})

test('a stage sees its own GPUs alone; more cores than there are is all of them', { timeout: 60_000 }, async (t) => {
  see(t, '3,5')
  const rig = new Rig(t)
  const greedy = { gpu: 1, cpu: 4096, memory: 0 }
  const all = ['a', 'b'].map((name) => stage(name, shell(ALONE), { resources: greedy, out: { text: 'text.txt' } }))
  assert.deepEqual(await rig.outcomes(all), ['a: ran', 'b: ran'])
  const shown = [rig.read('artifacts/a/text.txt'), rig.read('artifacts/b/text.txt')]
  assert.deepEqual(shown, [`3 ${availableParallelism()}\n`, `5 ${availableParallelism()}\n`])
})

test('a stage that asks for more memory than there is, is refused before anything runs', async (t) => {
  const rig = new Rig(t)
  const pair = (memory: number) => [
    stage('small', shell('echo a > "$PIPELINE_OUT_TEXT"'), { out: { text: 'text.txt' } }),
    stage('large', shell('cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'), {
      in: { text: 'small.text' },
      out: { text: 'text.txt' },
      resources: { ...NOTHING, memory },
    }),
  ]
  const refusal = {
    code: 'MEMORY_TOO_LARGE',
    exitCode: 2,
    message: /^Stage "large" asks for 1073741824\.0 GiB of memory/,
  }
  await assert.rejects(rig.run(pair(2 ** 60)), refusal)
  await assert.rejects(rig.plan(pair(2 ** 60)), refusal)
  assert.ok(!rig.has('artifacts'))
  assert.deepEqual(await rig.outcomes(pair(2 ** 20)), ['small: ran', 'large: ran'])
  assert.deepEqual(await rig.outcomes(pair(2 ** 60)), ['small: fresh', 'large: fresh'], 'it was made elsewhere')
})
