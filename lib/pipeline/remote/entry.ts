import { join } from 'node:path'
import type { Json, JsonObject } from '../../util/json.ts'
import type { Digest } from '../canonical.ts'
import { manifestText, parseManifest } from '../manifest.ts'
import type { Manifest } from '../manifest.ts'
import type { ResultPlace } from '../store.ts'
import { walk } from '../walk.ts'

/** What the remote has of a result beside the contents of its files: its manifest, and what a manifest does not list. */
export interface ResultEntry {
  readonly manifest: Manifest
  /** Paths of the folders at and below the outputs, each after what it lies in. */
  readonly folders: readonly string[]
  readonly links: readonly LinkEntry[]
}

/** A link within an output: `target` is the path of what it leads to, in the result. */
interface LinkEntry {
  readonly path: string
  readonly target: string
}

export const entryName = ({ stage, key }: ResultPlace): string => `results/${stage}/${key}.json`

export function makeEntry(folder: string, manifest: Manifest): ResultEntry {
  const folders: string[] = []
  const links: LinkEntry[] = []
  for (const { file } of Object.values(manifest.outputs)) {
    const inResult = (path: string): string => (path === '' ? file : `${file}/${path}`)
    for (const entry of walk(join(folder, file), 'refuse')) {
      if (entry.kind === 'folder') folders.push(inResult(entry.path))
      if (entry.kind === 'link') links.push({ path: inResult(entry.path), target: inResult(entry.target) })
    }
  }
  return { manifest, folders, links }
}

export const entryText = ({ manifest, folders, links }: ResultEntry): string =>
  `${JSON.stringify({ version: 1, manifest: JSON.parse(manifestText(manifest)) as Json, folders, links })}\n`

/**
 * The entry in a text; undefined where it is not whole, or not the key's own. No path in it leads out of an output:
 * others write to the remote too.
 */
export function parseEntry(text: string, key: Digest): ResultEntry | undefined {
  try {
    const {
      version,
      manifest: sealed,
      folders,
      links,
    } = JSON.parse(text) as { version: number; manifest: JsonObject } & {
      [name in 'folders' | 'links']: ResultEntry[name]
    }
    const manifest = parseManifest(JSON.stringify(sealed), key)
    if (version !== 1 || manifest === undefined || !hasOutputsOfRecord(manifest)) return undefined
    const leaves = [...manifest.files, ...links].map(({ path }) => path)
    const paths = [...leaves, ...folders, ...links.map(({ target }) => target)]
    const files = Object.values(manifest.record.out)
    if (!paths.every((path) => isInside(path, files)) || !areApart(leaves, folders)) return undefined
    return { manifest, folders, links }
  } catch {
    return undefined
  }
}

/** Names and files of outputs stand in the key's record, which is known to be right. */
const hasOutputsOfRecord = ({ outputs, record }: Manifest): boolean =>
  Object.keys(outputs).length === Object.keys(record.out).length &&
  Object.entries(record.out).every(([name, file]) => outputs[name]?.file === file)

const isInside = (path: string, files: readonly string[]): boolean =>
  files.some((file) => path === file || path.startsWith(`${file}/`)) &&
  path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') &&
  !/[\\\0]/.test(path)

/** No two at one path, and none in a file or a link. */
function areApart(leaves: readonly string[], folders: readonly string[]): boolean {
  const taken = new Set([...leaves, ...folders])
  if (taken.size < leaves.length + folders.length) return false
  const above = new Set([...taken].flatMap((path) => parents(path)))
  return leaves.every((path) => !above.has(path))
}

const parents = (path: string): string[] => [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index))
