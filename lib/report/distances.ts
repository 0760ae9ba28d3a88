/** What the curve of a term of the loss shows. A stage of someone's own may have terms of other names. */
export const distanceCaption = (name: string): string =>
  `By step, ${Object.hasOwn(captions, name) ? captions[name]! : 'mean per token, without its weight'}.`

const softened = (what: string): string => `${what} in nats per token, at the temperature of the training`

const captions: Readonly<Record<string, string>> = {
  'forward-kl': softened('Kullback–Leibler divergence'),
  'reverse-kl': softened('Kullback–Leibler divergence of the teacher from the student'),
  jsd: softened('generalised Jensen–Shannon divergence'),
  'symmetric-kl': softened('mean of the Kullback–Leibler divergences in both directions'),
  'skew-kl': softened('Kullback–Leibler divergence of the student, mixed with the teacher'),
  'skew-reverse-kl': softened('Kullback–Leibler divergence of the teacher, mixed with the student'),
  'total-variation': 'mean of the total variation of a token, from 0 to 1, at the temperature of the training',
  'mse-logits': 'mean squared difference of the logits',
  'hidden-mse': 'mean squared difference of hidden states',
  'hidden-cosine': '1 less the cosine between hidden states',
  'attention-kl': 'Kullback–Leibler divergence of whom a token attends to, in nats',
  'attention-mse': 'sum of squared differences of whom a token attends to',
  'argmax-ce': 'cross-entropy with the teacher\u2019s likeliest token in nats per token',
}
