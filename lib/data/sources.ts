import { join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { nearest } from '../util/nearest.ts'
import { isRemote, parseRemote } from '../util/remote.ts'
import type { FetchHooks, Pick } from './fetch/hooks.ts'
import { fetchSettings } from './fetch/settings.ts'
import { fetchHub } from './hub/index.ts'
import { modelFiles, tokenizerFiles } from './model-files.ts'
import { isFile, isFolder } from './read.ts'
import { fetchWeb } from './web.ts'
import { isIndex, weightNames } from './weight-files.ts'

/**
 * The folder on this machine that a stage was handed as a model, a tokenizer or a corpus; what `hub:` and `https:` name
 * is fetched first, as much of it as is picked. Throws Failure FILE_MISSING, SOURCE_INVALID, SOURCE_FILE, HUB_…, WEB_….
 */
export async function fetchFolder(source: string, pick: Pick, hooks: FetchHooks): Promise<string> {
  const found = await fetchSource(source, pick, hooks)
  if (isFolder(found)) return found
  const message = `"${source}" is one file, where a folder of several is needed. Give the folder; on a server, the address and digest of its SHA256SUMS, which \`sha256sum * > SHA256SUMS\` makes.`
  throw new Failure('SOURCE_FILE', message)
}

/** The file that a source is, or the one of that name in the folder that it is. Throws as `fetchFolder`. */
export async function fetchFile(source: string, name: string, hooks: FetchHooks): Promise<string> {
  const found = await fetchSource(source, pickNamed(name), hooks)
  if (isFile(found)) return found
  const file = join(found, name)
  if (isFile(file)) return file
  throw new Failure('FILE_MISSING', `There is no file "${file}".`)
}

async function fetchSource(source: string, pick: Pick, hooks: FetchHooks): Promise<string> {
  if (isRemote(source)) {
    const remote = parseRemote(source)
    if (!remote.ok) throw new Failure('SOURCE_INVALID', remote.error)
    const settings = fetchSettings()
    return remote.value.site === 'hub'
      ? fetchHub(remote.value, pick, settings, hooks)
      : fetchWeb(remote.value, pick, settings, hooks)
  }
  if (isFolder(source) || isFile(source)) return source
  throw new Failure('FILE_MISSING', `There is no file or folder "${source}".`)
}

/** Of a folder elsewhere these files. Throws Failure SOURCE_LACKS. */
export const pickNamed =
  (...names: readonly string[]): Pick =>
  (paths) => {
    for (const name of names) if (!paths.includes(name)) throw lacks(name, paths)
    return names
  }

/** Of a folder elsewhere what `copyModel` copies. Throws Failure SOURCE_LACKS. */
export const pickModel: Pick = (paths) => {
  const weights = weightNames.find((name) => paths.includes(name))
  if (weights === undefined) {
    const message = `The source has no weights that can be read: none of ${weightNames.join(', ')}. ${listed(paths)}`
    throw new Failure('SOURCE_LACKS', message)
  }
  return [...pickNamed('config.json', weights)(paths), ...shardsOf(weights, paths), ...among(modelFiles, paths)]
}

/** The shards of an index, told by their names: it cannot be read before it is fetched. */
function shardsOf(weights: string, paths: readonly string[]): string[] {
  const [stem, form] = weights.split('.') as [string, string]
  const shard = new RegExp(`^${stem}-\\d+-of-\\d+\\.${form}$`)
  return isIndex(weights) ? paths.filter((path) => shard.test(path)) : []
}

/** Of a folder elsewhere what `copyTokenizer` copies. */
export const pickTokenizer: Pick = (paths) => among(tokenizerFiles, paths)

const among = (names: readonly string[], paths: readonly string[]): string[] =>
  names.filter((name) => paths.includes(name))

function lacks(name: string, paths: readonly string[]): Failure {
  const near = nearest(name, paths)
  const advice = near === undefined ? listed(paths) : `Did you mean "${near}"?`
  return new Failure('SOURCE_LACKS', `The source has no file "${name}". ${advice}`)
}

const listed = (paths: readonly string[]): string =>
  `It has ${paths.slice(0, 8).join(', ')}${paths.length > 8 ? ', …' : ''}.`
