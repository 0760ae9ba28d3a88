import type { GptConfig } from '../../lib/model/config.ts'
import { parameterCount } from '../../lib/model/weights.ts'

export interface Pair {
  readonly teacher: GptConfig
  readonly student: GptConfig
}

/** GPT-Neo-2.7B (Black et al. 2021) and GPT-2 124M: 21 to 1 in weights. */
export const realPair: Pair = {
  teacher: shape('gpt_neo', { vocabSize: 50_257, context: 2048, width: 2560, layers: 32, heads: 20 }),
  student: shape('gpt2', { vocabSize: 50_257, context: 1024, width: 768, layers: 12, heads: 12 }),
}

/**
 * A step of so small a student takes longer than its operations say: with weights 26 to 1 it stands to the teacher's pass
 * as a step of GPT-2 does to that of GPT-Neo-2.7B, 1 to 5 in time.
 */
export const smallPair: Pair = {
  teacher: shape('gpt_neo', { vocabSize: 1536, context: 128, width: 1024, layers: 4, heads: 16 }),
  student: shape('gpt2', { vocabSize: 1536, context: 128, width: 256, layers: 2, heads: 4 }),
}

type Sizes = Pick<GptConfig, 'vocabSize' | 'context' | 'width' | 'layers' | 'heads'>

function shape(architecture: GptConfig['architecture'], sizes: Sizes): GptConfig {
  const isLocal = (layer: number): boolean => architecture === 'gpt_neo' && layer % 2 === 1
  const attention = Array.from({ length: sizes.layers }, (_, layer) => (isLocal(layer) ? 'local' : 'global'))
  const window = Math.min(256, sizes.context)
  return { architecture, ...sizes, inner: 4 * sizes.width, attention, window, epsilon: 1e-5, tied: true }
}

/**
 * Operations a token of the text in a sweep of so many passes: two for a weight forwards, four backwards (Kaplan et al.
 * 2020, arXiv:2001.08361, section 2.1), attention's scores left out on both sides.
 */
export function operations({ teacher, student }: Pair, passes: number): { targets: number; online: number } {
  const [taught, whole, head] = [6 * active(student), 2 * active(teacher), 2 * teacher.vocabSize * teacher.width]
  return { targets: whole - head + passes * (taught + head), online: passes * (taught + whole) }
}

/** Weights that every token is multiplied by: all but the positions', the tied head among them. */
const active = (config: GptConfig): number => parameterCount(config) - config.context * config.width
