import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { toRecord } from '../util/record.ts'
import type { JsonObject } from '../util/json.ts'
import { sortStages } from './dag.ts'
import { folded } from './file-names.ts'
import type { Inputs, Producer } from './inputs.ts'
import { NO_CELL, bindCell, expandMatrix, hasPending } from './matrix.ts'
import type { Cell } from './matrix.ts'
import { isName, isShortEnough, isStageName } from './names.ts'
import { readOutputs } from './outputs.ts'
import type { Output } from './outputs.ts'
import { isPackaged, packagedModule } from './stage-package.ts'
import { Paths } from './paths.ts'
import type { Input, Program, SlurmSettings, Stage } from './pipeline.ts'
import type { Problems } from './problems.ts'
import { placesOf } from './places.ts'
import { readCommand } from './program.ts'
import { NO_SCOPE } from './references.ts'
import type { References, Scope } from './references.ts'
import type { Document, StageSource } from './schema.ts'
import { asksForNothing, readSettings, readSlurm } from './settings.ts'
import type { Settings } from './settings.ts'
import { placeName, placeOf } from './source.ts'
import type { Spot } from './source.ts'
import { child, entriesOf, isRefused, mapEntries, refused, textOf, toJsonObject } from './tree.ts'
import type { Entry, Tree } from './tree.ts'

/** Which references of a stage wait for its cells or its command's values. */
const SCOPES: ReadonlyMap<string, Scope> = new Map([
  ['in', new Set(['matrix'])],
  ['with', new Set(['matrix'])],
  ['cmd', new Set(['matrix', 'in', 'out', 'with'])],
])

/** Puts parameters in place in every stage. */
export function resolveStages(stages: Tree, references: References): Tree | undefined {
  if (stages.kind !== 'map') return references.resolve(stages, NO_SCOPE)
  return mapEntries(stages, (stage) => {
    if (stage.kind !== 'map') return references.resolve(stage, NO_SCOPE)
    return mapEntries(stage, (value, key) => references.resolve(value, SCOPES.get(key) ?? NO_SCOPE))
  })
}

/** A stage before its matrix is expanded. */
interface Definition extends Producer {
  readonly at: Spot
  readonly tree: Tree
  readonly outputs: ReadonlyMap<string, Output> | undefined
  /** What stands under `in:`, also where its source is wrong. */
  readonly inputs: ReadonlyMap<string, Entry>
  readonly settings: Settings
}

/** What each stage is called and offers. */
export function readDefinitions(
  document: Tree,
  valid: Document | undefined,
  root: string,
  problems: Problems,
): ReadonlyMap<string, Definition> {
  const definitions = new Map<string, Definition>()
  const byFolded = new Map<string, Definition>()
  const slurm = readSlurm(valid?.slurm, child(document, 'slurm'), problems)
  const shared = { slurm, settings: readSettings(undefined, undefined, undefined, slurm, problems) }
  for (const [name, { keyAt, value }] of entriesOf(child(document, 'stages'))) {
    if (value.kind !== 'map' || !isStageName(name, keyAt, problems)) continue
    const definition = readDefinition(name, keyAt, value, { source: valid?.stages[name], ...shared }, problems)
    checkProgram(definition, root, problems)
    const other = byFolded.get(folded(name))
    if (other) reportCollision(definition, other, problems)
    byFolded.set(folded(name), definition)
    definitions.set(name, definition)
  }
  return definitions
}

function readDefinition(
  name: string,
  at: Spot,
  tree: Tree,
  {
    source,
    slurm,
    settings,
  }: { readonly source: StageSource | undefined; readonly slurm: SlurmSettings; readonly settings: Settings },
  problems: Problems,
): Definition {
  const isKnown = (key: string): boolean => !isRefused(child(tree, key))
  const inputs = entriesOf(child(tree, 'in'))
  for (const [input, { keyAt }] of inputs) isName(input, 'input', keyAt, problems)
  const outputs = isKnown('out') ? readOutputs(child(tree, 'out'), problems) : undefined
  for (const output of outputs?.values() ?? []) isShortEnough(name, output, problems)
  return {
    name,
    at,
    tree,
    inputs,
    outputs,
    cells: isKnown('matrix') ? expandMatrix(child(tree, 'matrix'), problems) : undefined,
    settings: asksForNothing(tree) ? settings : readSettings(source, tree, outputs, slurm, problems),
  }
}

function reportCollision(definition: Definition, other: Definition, problems: Problems): void {
  const why = `both results would be linked at artifacts/${definition.name}, since not every disk tells case apart`
  const message = `The stage "${definition.name}" collides with "${other.name}" of ${placeName(other.at)}: ${why}. Rename one.`
  problems.add('NAME_COLLISION', definition.at, message)
}

function checkProgram({ name, at, tree }: Definition, root: string, problems: Problems): void {
  const [run, cmd] = [child(tree, 'run'), child(tree, 'cmd')]
  if (!run === !cmd) {
    const found = run ? 'has both `run` and `cmd`' : 'has neither `run` nor `cmd`'
    const advice = 'Write `run: stages/NAME.ts` for a stage in TypeScript, or `cmd: [program, argument]` for a program.'
    problems.add('PROGRAM_INVALID', cmd?.at ?? at, `The stage "${name}" ${found}. ${advice}`)
  }
  const file = textOf(child(tree, 'run'))
  if (file !== undefined && isPackaged(file)) {
    const found = packagedModule(root, file)
    if (!found.ok) problems.add('PROGRAM_MISSING', child(tree, 'run')?.at, found.error)
    return
  }
  if (file === undefined || file === '' || existsSync(join(root, file))) return
  const near = new Paths(root, problems).nearest(file)
  const advice = near === undefined ? 'Paths are relative to the folder of pipeline.yaml.' : `Did you mean "${near}"?`
  problems.add('PROGRAM_MISSING', child(tree, 'run')?.at, `There is no file "${file}" to run. ${advice}`)
}

/** All stages and cells, in an order in which they can run. */
export function makeStages(
  definitions: ReadonlyMap<string, Definition>,
  inputs: Inputs,
  problems: Problems,
): readonly Stage[] {
  const stages: Stage[] = []
  for (const definition of definitions.values()) {
    const varies = hasPending(child(definition.tree, 'with')) || hasPending(child(definition.tree, 'in'))
    const shared = varies ? undefined : bind(definition, NO_CELL, problems)
    for (const cell of definition.cells ?? []) {
      const bound = shared ?? bind(definition, cell, problems)
      stages.push(makeStage(definition, cell, bound, inputs, problems))
    }
  }
  const spotOf = ({ name }: Stage): Spot => child(definitions.get(name)!.tree, 'in')?.at ?? definitions.get(name)!.at
  return sortStages(stages, spotOf, problems)
}

/** What of a stage depends on its cell's values; shared by all cells where nothing does. */
interface Bound {
  readonly in: Tree | undefined
  readonly with: Tree | undefined
  readonly parameters: JsonObject
  readonly places: Stage['places']
}

function bind({ tree, outputs }: Definition, cell: Cell, problems: Problems): Bound {
  const part = (key: string): Tree | undefined => {
    const value = child(tree, key)
    return value && (bindCell(value, cell, problems) ?? refused(value.at))
  }
  const bound = { in: part('in'), with: part('with') }
  if (bound.with && bound.with.kind !== 'map' && !isRefused(bound.with) && hasPending(child(tree, 'with'))) {
    problems.add('VALUE_INVALID', bound.with.at, '`with:` of this cell must be a map of parameters.')
  }
  // few are ever asked for: those of ten thousand stages would take a second and a hundred MiB
  const places = (): ReturnType<Stage['places']> => placesOf(tree, bound, outputs)
  return { ...bound, parameters: toJsonObject(bound.with), places }
}

function makeStage(definition: Definition, cell: Cell, bound: Bound, inputs: Inputs, problems: Problems): Stage {
  const { name, settings } = definition
  return {
    id: cell.name === '' ? name : `${name}[${cell.name}]`,
    name,
    cell: cell.at,
    program: readProgram(definition, cell, bound, problems),
    in: readInputs(bound.in, cell, inputs, problems),
    with: bound.parameters,
    out: filesOf(definition.outputs ?? NO_OUTPUTS),
    ...settings,
    place: placeOf(definition.at),
    places: bound.places,
  }
}

function filesOf(outputs: ReadonlyMap<string, Output>): Readonly<Record<string, string>> {
  const files = toRecord<string>([])
  for (const [output, { file }] of outputs) files[output] = file
  return files
}

function readInputs(
  tree: Tree | undefined,
  cell: Cell,
  inputs: Inputs,
  problems: Problems,
): Readonly<Record<string, Input>> {
  const found = toRecord<Input>([])
  for (const [name, { value }] of entriesOf(tree)) {
    const source = textOf(value)
    const input = source === undefined ? undefined : inputs.read(source, value.at, cell)
    if (input) found[name] = input
    else if (source === undefined && !isRefused(value))
      problems.add('INPUT_INVALID', value.at, `"in.${name}" must be a text that names a source.`)
  }
  return found
}

const NO_OUTPUTS: ReadonlyMap<string, Output> = new Map()

function readProgram(definition: Definition, cell: Cell, bound: Bound, problems: Problems): Program {
  const { tree, inputs, outputs } = definition
  const file = textOf(child(tree, 'run'))
  const cmd = child(tree, 'cmd')
  if (file !== undefined || !cmd) return { kind: 'module', file: file ?? '' }
  const args = bindCell(cmd, cell, problems)
  const names = { in: inputs, out: outputs ?? NO_OUTPUTS, with: bound.with }
  return (args && readCommand(args, names, problems)) ?? { kind: 'command', argv: [] }
}
