import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Failure } from '../../util/failure.ts'
import { table } from '../format.ts'
import { modelSource } from '../model.ts'
import { write, writeJson } from '../output.ts'
import { askTool } from '../tool.ts'

/** Of a text under a model. */
export interface TextScore {
  /** exp(nll / tokens) and exp(nll / words); nll is in nats. */
  readonly perplexity: number
  readonly perplexityPerWord: number
  readonly nll: number
  /** Tokens predicted: all but the first. Words are what white space parts. */
  readonly tokens: number
  readonly words: number
  readonly context: number
  readonly stride: number
}

export interface ScoreArguments {
  readonly text: string
  readonly stride: number
  readonly engine: string
  readonly json?: boolean
}

/** `pipeline score MODEL --text FILE`: the perplexity of a text. */
export async function score(model: string, { text, stride, engine, json }: ScoreArguments): Promise<number> {
  const file = resolve(text)
  if (!existsSync(file) || !statSync(file).isFile()) {
    throw new Failure('FILE_MISSING', `--text: there is no file "${text}". Give a text file.`)
  }
  const found = (await askTool('score', [modelSource(model), file, String(stride), engine])) as TextScore
  if (json === true) writeJson(found)
  else write(words(found))
  return 0
}

const words = (found: TextScore): string =>
  table([
    [
      'perplexity',
      found.perplexity.toFixed(2),
      `of ${found.tokens} tokens, in rows of ${found.context}, ${found.stride} apart`,
    ],
    ['per word', found.perplexityPerWord.toFixed(2), `of ${found.words} words`],
  ])
