import type { GptConfig } from '../../lib/model/config.ts'

/** GPT-2 124M (Radford et al. 2019). */
export const gpt2: GptConfig = {
  architecture: 'gpt2',
  ...{ vocabSize: 50_257, context: 1024, width: 768, layers: 12, heads: 12, inner: 3072, window: 1024 },
  ...{ epsilon: 1e-5, tied: true, attention: Array.from({ length: 12 }, () => 'global' as const) },
}
