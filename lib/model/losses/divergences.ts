import type { Divergence, LossName } from './divergence.ts'
import { forwardKl, reverseKl, symmetricKl } from './kullback-leibler.ts'
import { argmaxCe, mseLogits } from './logits.ts'
import { jsd, skewKl, skewReverseKl } from './mixtures.ts'
import { totalVariation } from './total-variation.ts'

/** Every loss by its name. */
export const divergences = {
  'forward-kl': { takes: 'log-probs', of: forwardKl },
  'reverse-kl': { takes: 'log-probs', of: reverseKl },
  jsd: { takes: 'log-probs', of: jsd },
  'symmetric-kl': { takes: 'log-probs', of: symmetricKl },
  'skew-kl': { takes: 'log-probs', of: skewKl },
  'skew-reverse-kl': { takes: 'log-probs', of: skewReverseKl },
  'total-variation': { takes: 'log-probs', of: totalVariation },
  'mse-logits': { takes: 'logits', of: mseLogits },
  'argmax-ce': { takes: 'logits', of: argmaxCe },
} satisfies Record<LossName, Divergence>
