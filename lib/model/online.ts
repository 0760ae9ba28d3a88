import type { Memory } from '../engine/engine.ts'
import { state } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { GptConfig } from './config.ts'
import { gptInside, headOf } from './gpt.ts'
import type { Inside, Weights } from './gpt.ts'
import { loadInto, weightShapes } from './weights.ts'
import type { Model } from './weights.ts'

// B rows · T tokens in a row · W vocabulary and D width of the teacher

/** The teacher's weights in memory, beside a student's of the same names. */
const nameOf = (weight: string): string => `teacher/${weight}`

/** Puts a teacher where the graphs of `onlineTeacher` find it. */
export const loadTeacher = (memory: Memory, { weights }: Model): void =>
  loadInto(memory, new Map([...weights].map(([name, value]) => [nameOf(name), value])))

/** What goes on in a teacher who reads tokens (B, T), and its head (W, D). */
export function onlineTeacher(config: GptConfig, tokens: Tensor): Inside & { readonly head: Tensor } {
  const shapes = weightShapes(config)
  const weight: Weights = (name) => state(nameOf(name), shapes.get(name)!)
  return { ...gptInside(config, weight, { tokens }), head: headOf(config, weight) }
}
