import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineStage } from 'distil-pipeline'

/** Of the tokens of a split, how often each of the most frequent ones stands in it. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      split: { enum: ['train', 'validation', 'test'], default: 'train', description: 'of the tokens' },
      most: { type: 'integer', minimum: 1, default: 5, description: 'tokens named' },
    },
  },
  in: ['tokens'],
  out: ['counts'],
  run({ with: { split, most }, in: from, out, log }) {
    const { buffer, byteOffset, length } = readFileSync(join(from.tokens, `${split}.bin`))
    const ids = new Uint16Array(buffer, byteOffset, length / 2)
    const counts = new Map<number, number>()
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
    const first = [...counts].sort(([a, n], [b, m]) => m - n || a - b).slice(0, most)
    log(`${ids.length} tokens, ${counts.size} of them different`)
    writeFileSync(out.counts, JSON.stringify({ tokens: ids.length, first }))
    return Promise.resolve()
  },
})
