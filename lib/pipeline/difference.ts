import { join } from 'node:path'
import { flatten, isObject } from '../util/flatten.ts'
import type { Json, JsonObject } from '../util/json.ts'
import { same } from './changes.ts'
import type { ExperimentRecord } from './experiment.ts'
import { readManifest } from './manifest.ts'

/** A value that two experiments do not share; absent in the one that does not have it. */
export interface Difference {
  readonly name: string
  readonly a?: Json
  readonly b?: Json
}

const SECTIONS = { stages, parameters, code, inputs, packages, metrics, environment }

export type Section = keyof typeof SECTIONS

/** What differs between two recorded experiments, by section; a section in which nothing does is empty. */
export const differences = (root: string, a: ExperimentRecord, b: ExperimentRecord): Record<Section, Difference[]> =>
  Object.fromEntries(
    Object.entries(SECTIONS).map(([section, values]) => [
      section,
      differing(values({ root, record: a, other: b }), values({ root, record: b, other: a })),
    ]),
  ) as Record<Section, Difference[]>

/** One of the two, and the one it is compared with. */
interface Side {
  readonly root: string
  readonly record: ExperimentRecord
  readonly other: ExperimentRecord
}

function differing(a: JsonObject, b: JsonObject): Difference[] {
  const [inA, inB] = [new Map(flatten(a)), new Map(flatten(b))]
  const names = [...new Set([...inA.keys(), ...inB.keys()])].filter((name) => !same(inA.get(name), inB.get(name)))
  return names.map((name) => ({ name, ...valueOf('a', inA, name), ...valueOf('b', inB, name) }))
}

const valueOf = (side: 'a' | 'b', values: ReadonlyMap<string, Json>, name: string) =>
  values.has(name) ? { [side]: values.get(name)! } : {}

/** What the stages that both have are made of; of a stage that one lacks it says nothing but that. */
const shared = ({ record, other }: Side) =>
  Object.entries(record.stages).filter(([stage]) => Object.hasOwn(other.stages, stage))

/** Which there are, and what those that both have call their outputs' files. */
function stages(side: Side): JsonObject {
  const there = Object.keys(side.record.stages).map((stage): [string, Json] => [stage, 'there'])
  const outputs = shared(side).flatMap(([id, { stage }]): [string, Json][] =>
    stage === undefined ? [] : [[`${id}.out`, { ...stage.out }]],
  )
  return Object.fromEntries([...there, ...outputs])
}

/** Module defaults filled in: a default that changed is a difference although no file says so. */
function parameters(side: Side): JsonObject {
  return Object.fromEntries(shared(side).map(([stage, { with: parameters }]) => [stage, parameters]))
}

/** Of stages whose code differs: a program's arguments, or a bundle's digest, and the source files that differ. */
function code(side: Side): JsonObject {
  const { record, other } = side
  const changed = shared(side).filter(([stage, own]) => own.code !== other.stages[stage]!.code)
  const programs = changed.map(([stage, own]): [string, Json] => {
    const command = written(record, stage)['cmd']
    return [command === undefined ? stage : `${stage}.cmd`, command ?? own.code]
  })
  const known = record.sourceFiles !== undefined && other.sourceFiles !== undefined && changed.length > 0
  return { ...Object.fromEntries(programs), ...(known ? record.sourceFiles : {}) }
}

/** A stage or cell as pipeline.yaml and the overlays declare it. */
function written({ resolved }: ExperimentRecord, stage: string): JsonObject {
  const all = objectAt(resolved, 'stages')
  return objectAt(all, stage.replace(/\[.*/, ''))
}

const objectAt = (value: JsonObject, name: string): JsonObject => {
  const inner = value[name]
  return inner !== undefined && isObject(inner) ? inner : {}
}

/** Where inputs come from, the contents of those that no stage makes, and the commits of branches and tags. */
function inputs(side: Side): JsonObject {
  const { record } = side
  const wiring = shared(side).map(([stage]): [string, Json] => [`${stage}.in`, objectAt(written(record, stage), 'in')])
  return { ...Object.fromEntries(wiring), ...record.sources, ...record.revisions }
}

/** All of an experiment: the stages share them. */
function packages(side: Side): JsonObject {
  return Object.assign({}, ...shared(side).map(([, { packages }]) => packages)) as JsonObject
}

function metrics({ record }: Side): JsonObject {
  return record.metrics
}

/** Where and on what it was recorded, and, of a stage that was made elsewhere, where that was. */
function environment(side: Side): JsonObject {
  const { engine, git, machine } = side.record
  const made = shared(side).map(([stage, { engine, device }]): [string, Json] => [stage, { engine, device }])
  return { engine, git: { ...git }, machine, ...Object.fromEntries(made), variables: variables(side) }
}

/** Digests of declared variables, which only results in the store have. */
function variables(side: Side): JsonObject {
  const found = shared(side).flatMap(([stage, own]): [string, Json][] => {
    const [mine, others] = [own.key, side.other.stages[stage]!.key].map((key) =>
      readManifest(join(side.root, 'artifacts', 'store', stage.replace(/\[.*/, ''), key), key),
    )
    return mine === undefined || others === undefined ? [] : [[stage, mine.record.env]]
  })
  return Object.fromEntries(found)
}
