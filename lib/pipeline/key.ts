import { digestOf } from './canonical.ts'
import type { Digest } from './canonical.ts'
import type { JsonObject } from '../util/json.ts'
import type { Shard } from './pipeline.ts'

/** Raised when the meaning of a key changes, so that no result of an older format is ever a hit. */
export const KEY_SCHEMA = 1

/** What an input is to a key: bytes by their content digest, a pinned source by its text, gathered cells by name. */
export type InputIdentity =
  { readonly content: Digest } | { readonly text: string } | { readonly cells: Readonly<Record<string, Digest>> }

/**
 * All that a result depends on, and nothing else: no path of this machine, no clock, no locale, no PATH, no retry
 * count, no verbosity. Engine and device are left out on purpose: a result made on a GPU is a hit on a laptop.
 */
export type KeyRecord = {
  /** The format of this record. */
  readonly schema: typeof KEY_SCHEMA
  /** The bytes that run: the digest of a module's bundle, or of a program's argument vector. */
  readonly code: Digest
  /** Every parameter, defaults filled in: a default that changes changes the result. */
  readonly with: JsonObject
  /** What it reads, by input name, so that two swapped inputs do not collide. */
  readonly in: Readonly<Record<string, InputIdentity>>
  /** Output name to file name: the layout of the result is part of the result. */
  readonly out: Readonly<Record<string, string>>
  /** Declared environment: null where absent, which is not the same as empty; digests, as a value may be a secret. */
  readonly env: Readonly<Record<string, Digest | null>>
  /** Packages in the import closure, by their place in node_modules: version and integrity of the lockfile. */
  readonly packages: Readonly<Record<string, string>>
  /** Of a part of a stage's work alone: which units, of how many. Not in how many parts the work is done. */
  readonly shard?: Shard
}

/** The one function that makes a key. */
export const keyOf = (record: KeyRecord): Digest => digestOf(record)

/** Declared environment variables as the key has them. */
export function envIdentity(names: readonly string[], env: NodeJS.ProcessEnv): Record<string, Digest | null> {
  return Object.fromEntries(
    names.map((name) => {
      const value = env[name]
      return [name, value === undefined ? null : digestOf(['env', name, value])]
    }),
  )
}
