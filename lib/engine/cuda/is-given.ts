import type { RunNode } from '../../graph/index.ts'

/** What lies in memory before anything runs. */
export const isGiven = (node: RunNode): boolean =>
  node.op === 'input' || node.op === 'state' || (node.op === 'constant' && node.attributes.data.length > 1)
