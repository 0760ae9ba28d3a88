import { Failure } from '../util/failure.ts'
import { nearest } from '../util/nearest.ts'
import { fetchHub } from './hub/index.ts'
import type { FetchHooks, Pick } from './hub/index.ts'
import { hubSettings } from './hub/settings.ts'
import { modelFiles, tokenizerFiles } from './model-files.ts'
import { isFile, isFolder } from './read.ts'
import { isIndex, weightNames } from './weight-files.ts'

/**
 * The folder or file on this machine that a stage was handed as a model, a corpus or items; what `hub:` names is fetched
 * first, as much of it as is picked. Throws Failure FILE_MISSING, HUB_…, SOURCE_UNSUPPORTED.
 */
export async function fetchSource(source: string, pick: Pick, hooks: FetchHooks): Promise<string> {
  if (source.startsWith('hub:')) return fetchHub(source, pick, hubSettings(), hooks)
  if (/^https?:/.test(source)) {
    const message = `"${source}" cannot be fetched: only "hub:" sources are. Download it and give its folder as "file:PATH".`
    throw new Failure('SOURCE_UNSUPPORTED', message)
  }
  if (isFolder(source) || isFile(source)) return source
  throw new Failure('FILE_MISSING', `There is no file or folder "${source}".`)
}

/** Of a repository these files. Throws Failure HUB_FILE_MISSING. */
export const pickNamed =
  (...names: readonly string[]): Pick =>
  (paths) => {
    for (const name of names) if (!paths.includes(name)) throw lacks(name, paths)
    return names
  }

/** Of a repository what `copyModel` copies. Throws Failure HUB_FILE_MISSING. */
export const pickModel: Pick = (paths) => {
  const weights = weightNames.find((name) => paths.includes(name))
  if (weights === undefined) {
    const message = `The repository has no weights that can be read: none of ${weightNames.join(', ')}. ${listed(paths)}`
    throw new Failure('HUB_FILE_MISSING', message)
  }
  return [...pickNamed('config.json', weights)(paths), ...shardsOf(weights, paths), ...among(modelFiles, paths)]
}

/** The shards of an index, told by their names: it cannot be read before it is fetched. */
function shardsOf(weights: string, paths: readonly string[]): string[] {
  const [stem, form] = weights.split('.') as [string, string]
  const shard = new RegExp(`^${stem}-\\d+-of-\\d+\\.${form}$`)
  return isIndex(weights) ? paths.filter((path) => shard.test(path)) : []
}

/** Of a repository what `copyTokenizer` copies. */
export const pickTokenizer: Pick = (paths) => among(tokenizerFiles, paths)

const among = (names: readonly string[], paths: readonly string[]): string[] =>
  names.filter((name) => paths.includes(name))

function lacks(name: string, paths: readonly string[]): Failure {
  const near = nearest(name, paths)
  const advice = near === undefined ? listed(paths) : `Did you mean "${near}"?`
  return new Failure('HUB_FILE_MISSING', `The repository has no file "${name}". ${advice}`)
}

const listed = (paths: readonly string[]): string =>
  `It has ${paths.slice(0, 8).join(', ')}${paths.length > 8 ? ', …' : ''}.`
