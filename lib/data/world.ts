import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../util/random.ts'
import { publishFile } from './publish.ts'
import { makeItems } from './world/items.ts'
import { tellStory } from './world/story.ts'
import type { StoryOptions } from './world/story.ts'
import { worldTokenizer } from './world/words.ts'

/**
 * A generated world of short stories: people move, find things, take, leave and get them, and now and then a sentence
 * says how things stand, which only who has followed the story can complete.
 */
export interface WorldOptions extends StoryOptions {
  readonly seed: number
  /** Stories of each split. */
  readonly train: number
  readonly validation: number
  readonly test: number
  /** Items, and the sentences between an item's opening and its question. */
  readonly items: number
  readonly itemSentences: readonly [least: number, most: number]
  /**
   * Share of the statements of the training split whose answer is drawn anew among the story's candidates: text to be
   * doubted. Validation, test and items are always true.
   */
  readonly noise: number
}

export const defaultWorld: WorldOptions = {
  seed: 1,
  people: 4,
  places: 4,
  objects: 2,
  sentences: [1, 7],
  statements: 0.7,
  train: 300,
  validation: 100,
  test: 200,
  items: 600,
  itemSentences: [5, 7],
  noise: 0.5,
}

/** The files of a world by name; a pure function: the same options give the same bytes for ever. */
export function makeWorld(given: Partial<WorldOptions> = {}): Record<string, string> {
  const options = { ...defaultWorld, ...given }
  const items = makeItems(new Random(options.seed, 'items'), options.items, {
    ...options,
    sentences: options.itemSentences,
  })
  return {
    'train.txt': stories(options, 'train', options.noise),
    'validation.txt': stories(options, 'validation', 0),
    'test.txt': stories(options, 'test', 0),
    'items.jsonl': items.map((item) => `${JSON.stringify(item)}\n`).join(''),
    'tokenizer.json': `${JSON.stringify(worldTokenizer(), null, 1)}\n`,
    'world.json': `${JSON.stringify(options, null, 2)}\n`,
  }
}

/** Writes them into a folder, made if it is not there. Throws `Failure` of `publishFile`. */
export function writeWorld(folder: string, options: Partial<WorldOptions> = {}): void {
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(makeWorld(options))) {
    publishFile(join(folder, name), (append) => append(Buffer.from(text)))
  }
}

/** A story a line. Each split has a sequence of its own, so that the size of one does not change another. */
function stories(options: WorldOptions, split: 'train' | 'validation' | 'test', noise: number): string {
  const random = new Random(options.seed, split)
  return Array.from({ length: options[split] }, () => `${tellStory(random, options, noise).text}\n`).join('')
}
