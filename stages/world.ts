import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeCorpus } from '../lib/data/corpus.ts'
import { defaultWorld, makeWorld } from '../lib/data/world.ts'
import { defineStage } from '../lib/pipeline/stage.ts'

const count = (byDefault: number) => ({ type: 'integer', minimum: 1, default: byDefault }) as const

/** Generates a corpus of the built-in world, its items and its tokenizer. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      seed: {
        type: 'integer',
        minimum: 0,
        default: defaultWorld.seed,
        description: 'what stories and items are drawn from',
      },
      train: { ...count(defaultWorld.train), description: 'stories of the training split' },
      validation: { ...count(defaultWorld.validation), description: 'stories of the validation split' },
      test: { ...count(defaultWorld.test), description: 'stories of the test split' },
      items: { ...count(defaultWorld.items), description: 'questions with four endings' },
      noise: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        default: 0,
        description: "share of the training split's statements whose answer is drawn anew, from 0 to 1",
      },
    },
  },
  in: [],
  out: ['corpus', 'tasks', 'tokenizer'],
  run({ with: options, out, log }) {
    const files = makeWorld(options)
    const text = (name: string): string => files[name]!
    const splits = { train: text('train.txt'), validation: text('validation.txt'), test: text('test.txt') }
    writeCorpus(out.corpus, { documents: 'line', splits })
    writeFileSync(out.tasks, text('items.jsonl'))
    mkdirSync(out.tokenizer)
    writeFileSync(join(out.tokenizer, 'tokenizer.json'), text('tokenizer.json'))
    log(`${options.train} stories, ${options.items} items`)
    return Promise.resolve()
  },
})
