import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { makeSplit, writeTokens } from '../../lib/data/tokens.ts'
import type { Split } from '../../lib/data/tokens.ts'
import { Order } from '../../lib/model/order.ts'
import { initialise, saveModel } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'
import { smallPair } from './shapes.ts'

const { teacher, student } = smallPair

/** What `pipeline.yaml` says. */
export const { temperatures, training } = read()

/** Writes teacher, student, tokens, and the order in which a training takes the rows: a list of rows a step. */
export function writeGiven(folder: string, rows: number): void {
  const { batch, epochs, seed } = training
  const eos = student.vocabSize - 1
  // about as sure as a language model is: its logits are spread by 2
  const deviation = 2 / Math.sqrt(teacher.width)
  const drawn = initialise(teacher, 1)
  drawn.set('transformer.wte.weight', initialise(teacher, 1, { deviation }).get('transformer.wte.weight')!)
  saveModel(join(folder, 'teacher'), { config: teacher, weights: drawn }, { eos })
  saveModel(join(folder, 'student'), { config: student, weights: initialise(student, 2) }, { eos })
  const splits = { train: text(rows, 'train'), validation: text(2, 'validation'), test: text(1, 'test') }
  writeTokens(join(folder, 'tokens'), { vocabSize: student.vocabSize, eos, tokenizerDigest: 'none', splits })
  const order = new Order(rows, { batch, seed })
  const steps = Array.from({ length: (epochs * rows) / batch }, (_, step) => order.rowsOf(step))
  writeFileSync(join(folder, 'training.json'), JSON.stringify({ ...training, order: steps }))
}

/** So many whole rows of a text with something to learn in it: half of its tokens follow from the one before. */
function text(rows: number, name: string): Split {
  const random = new Random(1, name)
  const { vocabSize } = student
  const ids = new Uint16Array(rows * training.context + 1)
  for (let i = 1; i < ids.length; i++) {
    ids[i] = random.below(2) === 0 ? random.below(vocabSize) : (ids[i - 1]! * 31 + 7) % vocabSize
  }
  return makeSplit(ids, Uint32Array.of(0), 'anywhere')
}

interface Recipe {
  readonly params: { readonly context: number; readonly temperatures: readonly number[] }
  readonly stages: {
    readonly distill: { readonly with: Readonly<Record<'alpha' | 'epochs' | 'batch' | 'rate' | 'seed', number>> }
  }
}

function read(): {
  temperatures: readonly number[]
  training: Recipe['stages']['distill']['with'] & { context: number }
} {
  const { params, stages } = parse(readFileSync(join(import.meta.dirname, 'pipeline.yaml'), 'utf8')) as Recipe
  const { alpha, epochs, batch, rate, seed } = stages.distill.with
  return { temperatures: params.temperatures, training: { context: params.context, alpha, epochs, batch, rate, seed } }
}
