import { commands } from './commands.ts'
import { configuration } from './configuration.ts'
import { learning } from './learning.ts'
import { models } from './models.ts'
import { results } from './results.ts'
import { running } from './running.ts'
import { sources } from './sources.ts'

/** Every code that a failure or a notice may have, with what it means; `pipeline help CODE` says it. */
export const codes = {
  ...configuration,
  ...running,
  ...results,
  ...sources,
  ...models,
  ...learning,
  ...commands,
} as const

export type Code = keyof typeof codes
