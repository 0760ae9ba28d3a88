import type { Digest } from '../canonical.ts'

/** The output of a part. */
export const PART = 'part'
/** The input that holds the parts where they are merged: no stage can name one of its own so. */
export const PARTS = '[parts]'

const DIGITS = 16

/** `teacher-logits@0123456789abcdef`: the folder in the store for parts of one result, by the first digits of its key. */
export const shardsName = (stage: string, key: Digest): string => `${stage}@${key.slice(0, DIGITS)}`

/** What the parts in a folder of the store are of; undefined where it is no such folder. */
export function wholeOf(name: string): { readonly stage: string; readonly digits: string } | undefined {
  const [, stage, digits] = /^(.+)@([0-9a-f]{16})$/.exec(name) ?? []
  return stage === undefined || digits === undefined ? undefined : { stage, digits }
}

/** `teacher-logits` of `teacher-logits[shard 2/4]`; the stage itself where it is no part of one. */
export const wholeStage = (id: string): string => id.replace(/\[shard \d+\/\d+\]$/, '')
