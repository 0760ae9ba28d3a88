import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { writeCorpus } from '../../lib/data/corpus.ts'
import { gridOf } from '../../lib/pipeline/shards/tiling.ts'
import type { StageModule } from '../../lib/pipeline/stage.ts'
import type { UnitRange } from '../../lib/util/unit-range.ts'
import evaluate from '../../stages/evaluate.ts'
import teacherLogits from '../../stages/teacher-logits.ts'
import tokenize from '../../stages/tokenize.ts'

const fixture = join(import.meta.dirname, '..', 'fixtures', 'harness')
const model = join(fixture, 'model')
const temporary = mkdtempSync(join(tmpdir(), 'shards-'))
after(() => rmSync(temporary, { recursive: true }))

const lines = (count: number): string =>
  Array.from({ length: count }, (_, n) => `The teacher reads book ${n} to ${'the pupils '.repeat(n % 7)}.`).join('\n')
const corpus = join(temporary, 'corpus')
writeCorpus(corpus, { documents: 'line', splits: { train: lines(60), validation: lines(9), test: lines(25) } })

interface Asked {
  readonly in: Readonly<Record<string, string>>
  readonly with?: object
}

/** What a stage is given, but for where it writes. */
function contextOf(stage: StageModule, asked: Asked): object {
  const properties = Object.entries(stage.params.properties) as [string, { default?: unknown }][]
  const defaults = Object.fromEntries(properties.map(([name, schema]) => [name, schema.default]))
  return {
    with: { ...defaults, ...asked.with },
    in: asked.in,
    ...{ log: () => undefined, progress: () => undefined, signal: new AbortController().signal },
    ...{ engine: { name: 'onnx-cpu', threads: 1 }, ranOn: () => undefined },
  }
}

const newFolder = (): string => mkdtempSync(join(temporary, 'made-'))

const outOf = (stage: StageModule, folder: string) =>
  Object.fromEntries(stage.out.map((name) => [name, join(folder, name)]))

async function whole(stage: StageModule, asked: Asked): Promise<string> {
  const folder = newFolder()
  await stage.run({ ...contextOf(stage, asked), out: outOf(stage, folder) } as never)
  return folder
}

async function inParts(stage: StageModule, asked: Asked, ranges: readonly UnitRange[]): Promise<string> {
  const folder = newFolder()
  const context = contextOf(stage, asked)
  const parts: string[] = []
  // the last first: no part may lean on another
  for (const range of ranges.toReversed()) {
    const part = join(newFolder(), 'part')
    await stage.shards!.run({ ...context, range, part } as never)
    parts.unshift(part)
  }
  await stage.shards!.merge({ ...context, parts, out: outOf(stage, folder) } as never)
  return folder
}

/** Bytes by path. */
function filesOf(folder: string): ReadonlyMap<string, Buffer> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  return new Map(
    names.flatMap((name): [string, Buffer][] => {
      const path = join(folder, name)
      return statSync(path).isFile() ? [[name, readFileSync(path)]] : []
    }),
  )
}

async function assertDivides(stage: StageModule, asked: Asked): Promise<number> {
  const expected = filesOf(await whole(stage, asked))
  const units = await stage.shards!.units(contextOf(stage, asked) as never)
  assert.ok(expected.size > 0 && units > 2, `${units} units`)
  const uneven = [
    { from: 0, to: 1 },
    { from: 1, to: units },
  ]
  for (const ranges of [gridOf(units, 1), gridOf(units, 3), uneven, gridOf(units, units)])
    assert.deepEqual(filesOf(await inParts(stage, asked, ranges)), expected, `${ranges.length} parts`)
  return units
}

const tokens = join(await whole(tokenize, { in: { corpus, tokenizer: model } }), 'tokens')

describe('parts of a stage come to the bytes of the whole', () => {
  for (const params of [{}, { separator: 'none', rows: 'documents' }])
    it(`tokenize ${JSON.stringify(params)}`, async () => {
      assert.equal(await assertDivides(tokenize, { in: { corpus, tokenizer: model }, with: params }), 94)
    })

  for (const params of [
    { form: 'hidden' },
    { form: 'hidden', dtype: 'I8', attend: 'document' },
    { form: 'sampled', samples: 3 },
    { form: 'topk', k: 5 },
  ])
    it(`teacher-logits ${JSON.stringify(params)}`, async () => {
      await assertDivides(teacherLogits, { in: { teacher: model, tokens }, with: { context: 4, ...params } })
    })

  const prompts = ['The teacher', 'A book']
  const tasks = (name: string): string => join(fixture, `${name}.jsonl`)
  for (const [more, params] of [
    [{}, {}],
    [{}, { stride: 5, prompts }],
    [{ tasks: tasks('hellaswag') }, { prompts, batch: 3 }],
    [{ tasks: tasks('lambada-own') }, { format: 'lambada', batch: 2, tokens: 100 }],
  ] as const)
    it(`evaluate ${JSON.stringify(params)}`, async () => {
      await assertDivides(evaluate, {
        in: { model, tokens, ...more },
        with: { context: 16, generateTokens: 3, items: 12, ...params },
      })
    })
})
