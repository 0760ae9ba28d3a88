import { stringify } from 'yaml'
import type { JsonObject } from '../util/json.ts'
import { definitions, experimentHash } from './definition.ts'
import { GRACE_SECONDS } from './executor/choose.ts'
import type { Stage } from './pipeline.ts'
import { upstream } from './prepare.ts'
import type { Prepared } from './prepare.ts'

export interface ArgoOptions {
  /** The image that the steps run in: Node, and what stages need of the system. */
  readonly image: string
  /** The claim of the volume that has the project's folder, which all steps read and write. */
  readonly claim: string
  /** Recipes and settings, as arguments of each step. */
  readonly config: readonly string[]
}

/** Where steps find the project. */
const PROJECT = '/project'
/** Beyond a stage's own time limit: its start, its end, and then what hangs is ended. */
const MARGIN_SECONDS = 60
const MIB = 2 ** 20
const OWN_MIB = 256

/**
 * An Argo Workflow of the same stages, each a step `pipeline stage ID --key DEFINITION`, and last the run that records the
 * experiment of the results that are there then. A stage without outputs is made by that run.
 */
export function argoWorkflow(prepared: Prepared, options: ArgoOptions): JsonObject {
  const stages = prepared.stages.filter(({ out }) => Object.keys(out).length > 0)
  const defined = definitions(prepared)
  const names = new Map(stages.map((stage, index) => [stage.id, argoName(stage.id, index)]))
  const byName = new Map(stages.map((stage) => [stage.name, stage]))
  const templates = new Map([...byName.keys()].map((name, index) => [name, `make-${argoName(name, index)}`]))
  const tasks = stages.flatMap((stage) => tasksOf(stage, defined.get(stage.id)!, names, templates.get(stage.name)!))
  const env = [...new Set(stages.flatMap((stage) => stage.env))].filter((name) => process.env[name] !== undefined)
  const record = { name: 'record', template: 'record', dependencies: [...names.values()] }
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Workflow',
    metadata: { generateName: 'pipeline-', annotations: { 'pipeline/experiment': experimentHash(prepared) } },
    spec: {
      entrypoint: 'experiment',
      arguments: {
        parameters: [
          { name: 'image', value: options.image },
          { name: 'claim', value: options.claim },
          // values may be secret: who submits the workflow gives them
          ...env.map((name) => ({ name: envParameter(name) })),
        ],
      },
      volumes: [{ name: 'project', persistentVolumeClaim: { claimName: '{{workflow.parameters.claim}}' } }],
      templates: [
        { name: 'experiment', dag: { failFast: false, tasks: [...tasks, record] } },
        ...[...byName.values()].flatMap((stage) => templatesOf(stage, templates.get(stage.name)!, options)),
        { name: 'record', container: container(['run', ...options.config], {}, env) },
      ],
    },
  }
}

/** The same as a text for `argo submit` and `kubectl create`. */
export const argoYaml = (workflow: JsonObject): string => stringify(workflow, { lineWidth: 0 })

/** Argo takes letters, digits and "-", the first of them no "-". The number tells apart what is the same without the rest. */
function argoName(name: string, index: number): string {
  const plain = name.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '')
  return `${plain === '' ? 'stage' : plain.slice(0, 100)}-${index + 1}`
}

const envParameter = (name: string): string => `env-${name}`

function tasksOf(stage: Stage, key: string, names: ReadonlyMap<string, string>, template: string): JsonObject[] {
  const name = names.get(stage.id)!
  const before = upstream(stage).map((id) => names.get(id)!)
  const parameters = [
    { name: 'stage', value: stage.id },
    { name: 'key', value: key },
  ]
  const task = { template, arguments: { parameters } }
  if (stage.shards === undefined) return [{ name, ...task, dependencies: before }]
  const shard = { name: 'shard', value: `{{item}}/${stage.shards}` }
  const parts = {
    name: `${name}-parts`,
    template: `${template}-part`,
    arguments: { parameters: [...parameters, shard] },
    dependencies: before,
    withSequence: { start: '1', end: String(stage.shards) },
  }
  return [parts, { name, ...task, dependencies: [parts.name] }]
}

function templatesOf(stage: Stage, template: string, { config }: ArgoOptions): JsonObject[] {
  const { timeoutSeconds, retries } = stage
  const limit =
    timeoutSeconds === undefined
      ? {}
      : // a text, as Argo's published schema has it; Argo reads both
        { activeDeadlineSeconds: String(Math.ceil(timeoutSeconds + GRACE_SECONDS + MARGIN_SECONDS)) }
  const again = retries.times === 0 ? {} : { retryStrategy: retryOf(stage) }
  const make = (name: string, inputs: readonly string[], args: readonly string[]): JsonObject => ({
    name,
    inputs: { parameters: inputs.map((input) => ({ name: input })) },
    ...limit,
    ...again,
    container: container(['stage', '{{inputs.parameters.stage}}', ...args, ...config], resourcesOf(stage), stage.env),
  })
  const key = ['--key', '{{inputs.parameters.key}}']
  const whole = make(template, ['stage', 'key'], key)
  if (stage.shards === undefined) return [whole]
  const shard = ['--shard', '{{inputs.parameters.shard}}']
  return [make(`${template}-part`, ['stage', 'key', 'shard'], [...key, ...shard]), whole]
}

/** A mistake, exit code 2, stays one. */
const retryOf = ({ retries: { times, backoffSeconds } }: Stage): JsonObject => ({
  limit: String(times),
  retryPolicy: 'Always',
  expression: 'lastRetry.exitCode != "2"',
  backoff: { duration: `${Math.ceil(backoffSeconds)}s`, factor: '2' },
})

function container(args: readonly string[], resources: JsonObject, env: readonly string[]): JsonObject {
  const known = env.filter((name) => process.env[name] !== undefined)
  return {
    image: '{{workflow.parameters.image}}',
    command: ['npx', '--no-install', 'pipeline'],
    args,
    workingDir: PROJECT,
    ...(known.length === 0
      ? {}
      : { env: known.map((name) => ({ name, value: `{{workflow.parameters.${envParameter(name)}}}` })) }),
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    volumeMounts: [{ name: 'project', mountPath: PROJECT }],
  }
}

/** GPUs are asked for by their limit alone. */
function resourcesOf({ resources: { gpu, cpu, memory } }: Stage): JsonObject {
  const asked = {
    ...(cpu > 0 ? { cpu: String(cpu) } : {}),
    ...(memory > 0 ? { memory: `${Math.ceil(memory / MIB) + OWN_MIB}Mi` } : {}),
  }
  const limits = { ...asked, ...(gpu > 0 ? { 'nvidia.com/gpu': String(gpu) } : {}) }
  return Object.keys(limits).length === 0
    ? {}
    : { ...(Object.keys(asked).length === 0 ? {} : { requests: asked }), limits }
}
