import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '../util/json.ts'
import { sha256 } from './canonical.ts'
import type { Digest } from './canonical.ts'
import { keyOf } from './key.ts'
import type { KeyRecord } from './key.ts'

export const MANIFEST = 'manifest.json'
export const LOG = 'log.txt'

export interface OutputRecord {
  /** File or folder name in the result folder. */
  readonly file: string
  readonly digest: Digest
}

/** What stands beside a result's outputs; written last, so that a result without a whole one is none. */
export type Manifest = {
  readonly version: 1
  /** The stage or cell that made it first. */
  readonly stage: string
  readonly key: Digest
  readonly record: KeyRecord
  readonly outputs: Readonly<Record<string, OutputRecord>>
  /** Every file below the outputs, with the sha256 of its content. */
  readonly files: readonly {
    readonly path: string
    readonly size: number
    readonly mode: number
    readonly sha256: Digest
  }[]
  /** The module's source files, so that a later run can name the one that changed. Not in the key. */
  readonly sources: Readonly<Record<string, Digest>>
  /** A program's arguments as written, for the same end; absent for a module, and in results from before it was kept. */
  readonly command?: readonly string[]
  /** What it ran on and how long: never in the key. */
  readonly ran: {
    readonly device: string | null
    readonly engine: string
    readonly machine: JsonObject
    readonly at: string
    /** Of all parts and the merge in sum, where it was made in parts. */
    readonly seconds: number
    /** How many parts. */
    readonly shards?: number
  }
}

/** With the digest of its own text, so that a flipped bit in it is seen. */
export function manifestText(manifest: Manifest): string {
  const body = JSON.stringify(manifest)
  return `${JSON.stringify({ ...(JSON.parse(body) as JsonObject), seal: sha256(body) }, null, 1)}\n`
}

/** What a manifest that `readManifest` refuses says of its own text, or of its key, and what they are. */
export function manifestDamage(folder: string, key: string): { expected: string | null; found: string | null } {
  try {
    const { seal, ...body } = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as Manifest & { seal: string }
    const digest = sha256(JSON.stringify(body))
    return digest === seal ? { expected: key, found: keyOf(body.record) } : { expected: seal, found: digest }
  } catch {
    return { expected: null, found: null } // lost, or cut short
  }
}

/** The manifest of a result folder; undefined where there is none that is whole and the key's own. */
export function readManifest(folder: string, key: string): Manifest | undefined {
  try {
    return parseManifest(readFileSync(join(folder, MANIFEST), 'utf8'), key)
  } catch {
    return undefined
  }
}

/** The manifest in a text; undefined where it is not whole, or not the key's own. */
export function parseManifest(text: string, key: string): Manifest | undefined {
  try {
    const { seal, ...body } = JSON.parse(text) as Manifest & { seal: string }
    if (sha256(JSON.stringify(body)) !== seal || body.key !== key || keyOf(body.record) !== key) return undefined
    return body
  } catch {
    return undefined
  }
}
