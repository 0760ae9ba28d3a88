import { readFileSync } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import type { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { Inputs } from './inputs.ts'
import { applySet, overlay, readRecipe } from './overlay.ts'
import { Paths } from './paths.ts'
import type { OutputRef, Pipeline } from './pipeline.ts'
import { Problems } from './problems.ts'
import { References, RESERVED_PARAMS } from './references.ts'
import { parseAddress } from './remote/address.ts'
import type { RemoteAddress } from './remote/address.ts'
import { makeSource } from './source.ts'
import { makeStages, readDefinitions, resolveStages } from './stages.ts'
import { child, entriesOf, refused, textOf, toJsonObject } from './tree.ts'
import type { Entry, MapTree, Tree } from './tree.ts'
import { readTrust } from './trust.ts'
import { checkSchema } from './validate.ts'
import { parseYaml } from './yaml.ts'

export interface ConfigFiles {
  /** pipeline.yaml; its folder is the root of all paths. */
  readonly file: string
  /** Recipes, relative to the working folder; later ones win. */
  readonly overlays: readonly string[]
  /** `a.b=value`, laid over all. */
  readonly sets: readonly string[]
  /** Text to take in place of a file's own, by absolute path: what the file would be. */
  readonly texts?: ReadonlyMap<string, string>
}

export interface LoadedPipeline extends Pipeline {
  /** Worth saying, and no mistake: parameters that nothing uses. */
  readonly notices: readonly Failure[]
}

/**
 * Reads pipeline.yaml, recipes and settings into a checked, acyclic list of stages: parameters put in place, matrices
 * expanded, every reference found, every file there. Gives all mistakes at once, each at its place.
 */
export function loadPipeline(files: ConfigFiles): Promise<Result<LoadedPipeline, Failure[]>> {
  const problems = new Problems()
  const root = resolve(dirname(files.file))
  const document = readDocument(files, root, problems)
  const pipeline = document && makePipeline(document, root, problems)
  if (!pipeline || problems.any) return Promise.resolve(err(problems.list()))
  const names = [files.file, ...files.overlays].map((file) => nameFrom(root, file))
  return Promise.resolve(ok({ ...pipeline, files: names }))
}

/** pipeline.yaml with recipes and settings laid over it, as they are written: `${}` stand as they do there. */
export function readWritten(files: ConfigFiles): Result<MapTree, Failure[]> {
  const problems = new Problems()
  const document = readDocument(files, resolve(dirname(files.file)), problems)
  return document && !problems.any ? ok(document) : err(problems.list())
}

const nameFrom = (root: string, file: string): string => relative(root, resolve(file)).split(sep).join('/')

/** All files and settings as one tree; undefined where one of them could not be read. */
function readDocument(files: ConfigFiles, root: string, problems: Problems): MapTree | undefined {
  const { file, overlays, sets, texts } = files
  const base = readFile(file, root, problems, texts)
  let document: Tree | undefined = base
  for (const recipe of overlays) {
    const tree = readFile(recipe, root, problems, texts)
    const recipeTree = tree && readRecipe(tree, problems)
    if (recipeTree) document = overlay(document, recipeTree)
  }
  // what is not YAML says nothing more; mistakes of content are gathered on
  if (!base || problems.list().some(({ code }) => code === 'YAML_SYNTAX' || code === 'FILE_MISSING')) return undefined
  for (const argument of sets) document = document && applySet(document, argument, problems)
  if (document?.kind === 'map') return document
  problems.add('VALUE_INVALID', base.at, `"${file}" must be a map with \`version: 1\` and \`stages:\`.`)
  return undefined
}

function readFile(file: string, root: string, problems: Problems, texts: ConfigFiles['texts']): Tree | undefined {
  const name = nameFrom(root, file)
  problems.announce(name)
  try {
    const text = texts?.get(resolve(file)) ?? new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
    return parseYaml(makeSource(name, text), problems)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOENT') missing(file, problems)
    else if (error instanceof TypeError)
      problems.add('FILE_UNREADABLE', undefined, `"${file}" is not UTF-8 text. Save it as UTF-8.`)
    else problems.add('FILE_UNREADABLE', undefined, `"${file}" cannot be read: ${(error as Error).message}`)
    return undefined
  }
}

function missing(file: string, problems: Problems): void {
  const near = new Paths(process.cwd(), problems).nearest(file)
  const advice =
    near === undefined
      ? 'Run the command in the folder of pipeline.yaml, or name the recipe by its path.'
      : `Did you mean "${near}"?`
  problems.add('FILE_MISSING', undefined, `There is no file "${file}". ${advice}`)
}

function makePipeline(document: MapTree, root: string, problems: Problems): Omit<LoadedPipeline, 'files'> | undefined {
  const resolved = resolveDocument(document, problems)
  const json = toJsonObject(resolved.document)
  const valid = checkSchema(resolved.document, json, problems)
  const definitions = readDefinitions(resolved.document, valid, root, problems)
  const inputs = new Inputs(definitions, new Paths(root, problems), problems)
  const stages = makeStages(definitions, inputs, problems)
  const output = (name: string): OutputRef | undefined => {
    const tree = child(resolved.document, name)
    const source = textOf(tree)
    return tree && source !== undefined ? inputs.output(source, tree.at) : undefined
  }
  const [metrics, page] = [output('metrics'), output('page')]
  const remote = readRemote(child(resolved.document, 'remote'), root, problems)
  const trust = readTrust(child(resolved.document, 'trust'), problems)
  return {
    root,
    params: toJsonObject(child(resolved.document, 'params')),
    metrics,
    page,
    remote,
    trust,
    stages,
    resolved: json,
    notices: resolved.notices,
  }
}

function readRemote(tree: Tree | undefined, root: string, problems: Problems): RemoteAddress | undefined {
  const text = textOf(tree)
  if (tree === undefined || text === undefined || text === '') return undefined // the schema has said so
  const address = parseAddress(text, root)
  if (address.ok) return address.value
  problems.add('VALUE_INVALID', tree.at, address.error)
  return undefined
}

/** The document with `${}` resolved in parameters and stages, and a notice for each parameter that is not used. */
function resolveDocument(document: MapTree, problems: Problems): { document: MapTree; notices: Failure[] } {
  const params = child(document, 'params')
  for (const [name, { keyAt }] of entriesOf(params)) checkParamName(name, keyAt, problems)
  const references = new References(params, problems)
  const entries = new Map<string, Entry>()
  for (const [name, { keyAt, value }] of document.entries) {
    const resolved = name === 'stages' ? resolveStages(value, references) : references.resolve(value, new Set())
    entries.set(name, { keyAt, value: resolved ?? refused(value.at) })
  }
  return { document: { ...document, entries }, notices: unusedParams(references) }
}

function checkParamName(name: string, at: Entry['keyAt'], problems: Problems): void {
  if (!RESERVED_PARAMS.includes(name)) return
  problems.add(
    'PARAM_RESERVED',
    at,
    `A parameter cannot be named "${name}": \`\${${name}.…}\` means something else. Rename it.`,
  )
}

function unusedParams(references: References): Failure[] {
  const notices = new Problems()
  for (const { name, at } of references.unused()) {
    notices.add('PARAM_UNUSED', at, `Nothing uses the parameter "${name}". Refer to it as \${${name}}, or remove it.`)
  }
  return notices.list()
}
