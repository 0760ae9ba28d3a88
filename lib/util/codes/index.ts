import { configuration } from './configuration.ts'
import { data } from './data.ts'
import { learning } from './learning.ts'
import { running } from './running.ts'

/** Every code that a failure or a notice may have, with what it means; `pipeline help CODE` says it. */
export const codes = { ...configuration, ...running, ...data, ...learning } as const

export type Code = keyof typeof codes
