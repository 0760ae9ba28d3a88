import type { JsonObject } from '../../util/json.ts'
import type { ExperimentRecord } from '../experiment.ts'

/** A file of the crate. */
export interface CrateFile {
  readonly path: string
  readonly size: number
  readonly sha256: string
  readonly type: string
  readonly name: string
}

/** A stage as the crate tells of it: the file of its code, if it has one, and that of its statement. */
export interface CrateStage {
  readonly name: string
  readonly code: string | undefined
  readonly statement: string
  /** The statements of the stages that it reads. */
  readonly reads: readonly string[]
}

const PROFILE = 'https://w3id.org/ro/wfrun/process/0.5'

/**
 * `ro-crate-metadata.json` of an experiment: RO-Crate 1.1 with the profile Process Run Crate 0.5, in which each stage is an
 * action that its code has made. `about` names the project.
 */
export function crateOf(
  record: ExperimentRecord,
  files: readonly CrateFile[],
  stages: readonly CrateStage[],
  about: { readonly name: string; readonly license: string | undefined },
): JsonObject {
  const short = record.hash.slice(0, 16)
  const license = licenseEntity(about.license)
  const root: JsonObject = {
    '@id': './',
    '@type': 'Dataset',
    name: `Experiment ${short} of ${about.name}`,
    description: `What ran, on what, with which parameters and results. \`npx pipeline reproduce ${short}\` runs it again.`,
    identifier: record.hash,
    datePublished: record.at,
    license: { '@id': license['@id'] },
    conformsTo: { '@id': PROFILE },
    hasPart: one(files.map(({ path }) => ({ '@id': fileId(path) }))),
    mentions: one(stages.map(({ name }) => ({ '@id': actionId(name) }))),
  }
  return {
    '@context': 'https://w3id.org/ro/crate/1.1/context',
    '@graph': [
      {
        '@id': 'ro-crate-metadata.json',
        '@type': 'CreativeWork',
        conformsTo: { '@id': 'https://w3id.org/ro/crate/1.1' },
        about: { '@id': './' },
      },
      root,
      { '@id': PROFILE, '@type': 'CreativeWork', name: 'Process Run Crate', version: '0.5' },
      license,
      ...files.map(fileEntity),
      ...stages.flatMap((stage) => actionEntities(record, stage)),
    ],
  }
}

/** A single value stands for itself: RO-Crate's JSON is compacted. */
const one = (values: readonly JsonObject[]): JsonObject | readonly JsonObject[] =>
  values.length === 1 ? values[0]! : values

function licenseEntity(name: string | undefined) {
  const isSpdx = name !== undefined && /^[\w.+-]+$/.test(name)
  return {
    '@id': isSpdx ? `https://spdx.org/licenses/${name}` : '#license',
    '@type': 'CreativeWork',
    name: name ?? 'Not declared',
    description: name ?? 'Of the data and models that went into it; none was declared for this record.',
  }
}

/** A path as a URI: names of cells have their % in them. */
const fileId = (path: string): string => encodeURI(path)

/** With an offset, the form that the profile's own shapes know. */
const timeOf = (milliseconds: number): string => new Date(milliseconds).toISOString().replace('Z', '+00:00')

const fileEntity = ({ path, size, sha256, type, name }: CrateFile): JsonObject => ({
  '@id': fileId(path),
  '@type': 'File',
  name,
  contentSize: String(size),
  encodingFormat: type,
  sha256,
})

const actionId = (stage: string): string => `#run-${encodeURIComponent(stage)}`

function actionEntities(record: ExperimentRecord, stage: CrateStage): JsonObject[] {
  const { code, madeAt, seconds, device, engine, with: parameters } = record.stages[stage.name]!
  const tool = `#stage-${encodeURIComponent(stage.name)}`
  const end = new Date(madeAt).getTime()
  return [
    {
      '@id': actionId(stage.name),
      '@type': 'CreateAction',
      name: `Stage ${stage.name}`,
      description: `Parameters: ${JSON.stringify(parameters)}. Engine: ${device ?? engine}.`,
      instrument: { '@id': tool },
      object: one(stage.reads.map((path) => ({ '@id': fileId(path) }))),
      result: { '@id': fileId(stage.statement) },
      startTime: timeOf(end - 1000 * seconds),
      endTime: timeOf(end),
      actionStatus: 'http://schema.org/CompletedActionStatus',
    },
    {
      '@id': tool,
      '@type': 'SoftwareApplication',
      name: `The code of stage ${stage.name}`,
      softwareVersion: code,
      ...(stage.code === undefined ? {} : { hasPart: { '@id': fileId(stage.code) } }),
    },
  ]
}
