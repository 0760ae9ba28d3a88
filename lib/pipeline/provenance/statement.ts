import type { JsonObject } from '../../util/json.ts'
import type { StageRecord } from '../experiment.ts'
import type { InputIdentity } from '../key.ts'
import type { Manifest } from '../manifest.ts'

/** A file as others hash it: its plain sha256, whatever its size. */
export interface Subject {
  /** In the result's folder. */
  readonly path: string
  readonly sha256: string
}

/** What this program calls how a stage makes its outputs; the place is a name, nothing need answer there. */
const BUILD_TYPE = 'https://distil-pipeline.invalid/stage/v1'

/**
 * How the outputs of a stage came to be: an in-toto Statement v1 with the predicate of SLSA Provenance v1
 * (https://slsa.dev/spec/v1.0/provenance). Inputs are named by the digests that the key has of them, which for a folder or
 * a large file are this program's own.
 */
export function statementOf(
  name: string,
  { with: parameters, outputs }: StageRecord,
  { key, record, ran }: Manifest,
  subjects: readonly Subject[],
): JsonObject {
  const finishedOn = new Date(ran.at)
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjects.map(({ path, sha256 }) => ({ name: path, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { stage: name, with: parameters },
        internalParameters: { engine: ran.engine, device: ran.device, environment: { ...record.env } },
        resolvedDependencies: [
          { name: 'code', digest: { sha256: record.code } },
          ...Object.entries(record.in).flatMap(([input, identity]) => dependencies(input, identity)),
          ...Object.entries(record.packages).map(([place, version]) => ({ name: place, annotations: { version } })),
        ],
      },
      runDetails: {
        builder: { id: 'https://distil-pipeline.invalid/run', version: { node: ran.machine['node'] ?? null } },
        metadata: {
          invocationId: key,
          startedOn: new Date(finishedOn.getTime() - 1000 * ran.seconds).toISOString(),
          finishedOn: finishedOn.toISOString(),
        },
        byproducts: Object.entries(outputs).map(([output, digest]) => ({
          name: output,
          digest: { distilPipelineTree: digest },
        })),
      },
    },
  }
}

function dependencies(name: string, identity: InputIdentity): JsonObject[] {
  if ('text' in identity) return [{ name, uri: identity.text }]
  const digests = 'content' in identity ? { '': identity.content } : identity.cells
  return Object.entries(digests).map(([cell, digest]) => ({
    name: cell === '' ? name : `${name}[${cell}]`,
    digest: { distilPipelineTree: digest },
  }))
}
