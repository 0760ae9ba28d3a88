import type { Program } from '../../lib/engine/index.ts'
import { graph, input, matmul } from '../../lib/graph/index.ts'
import { gpt, headOf } from '../../lib/model/gpt.ts'
import type { Running } from '../../lib/model/likelihood.ts'
import { weightState } from '../../lib/model/weights.ts'
import { ids } from './rig.ts'

/** What a model says of one row at a time, in the simplest way: no batch, no tree, all logits, sums in float64. */
export class Plain {
  readonly #model: Running
  readonly #length: number
  #program: Promise<Program> | undefined

  /** `length` is that of the longest row. */
  constructor(model: Running, length: number = model.config.context) {
    this.#model = model
    this.#length = length
  }

  /** Logits (V) of what follows each token of the row. */
  async logits(row: readonly number[]): Promise<number[][]> {
    const [T, { config, memory }] = [this.#length, this.#model]
    this.#program ??= this.#compile()
    const padded = ids([1, T], [...row, ...Array.from({ length: T - row.length }, () => 0)])
    const { logits } = await (await this.#program).run({ tokens: padded }, memory)
    return row.map((_, t) => Array.from(logits!.data.subarray(t * config.vocabSize, (t + 1) * config.vocabSize)))
  }

  /** Log-probabilities (V) of what follows each token of the row but the last. */
  async allLogProbs(row: readonly number[]): Promise<number[][]> {
    return (await this.logits(row.slice(0, -1))).map((logits) => {
      const largest = Math.max(...logits)
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)
      return logits.map((logit) => logit - largest - Math.log(total))
    })
  }

  /** Log-probability of each token of the row but the first. */
  async logProbs(row: readonly number[]): Promise<number[]> {
    const all = await this.allLogProbs(row)
    return row.slice(1).map((token, t) => all[t]![token]!)
  }

  #compile(): Promise<Program> {
    const { engine, config } = this.#model
    const weight = weightState(config)
    const hidden = gpt(config, weight, { tokens: input('tokens', [1, this.#length], 'int32') })
    return engine.compile(graph({ outputs: { logits: matmul(hidden, headOf(config, weight), { transposeB: true }) } }))
  }
}

export const quiet = { signal: new AbortController().signal, onProgress: (): void => undefined }
