import { openEngine } from '../../lib/engine/index.ts'
import type { Engine, Precision } from '../../lib/engine/index.ts'

/** `cuda`, or `cuda:bf16` with a precision. */
export function openNamed(choice: string): Promise<Engine> {
  const [name = '', precision = 'fp32'] = choice.split(':')
  return openEngine({ name, threads: 1, precision: precision as Precision })
}
