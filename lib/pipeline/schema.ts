import type { FromSchema } from 'json-schema-to-ts'

const slurmSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    partition: { type: 'string', minLength: 1, description: 'sbatch --partition' },
    account: { type: 'string', minLength: 1, description: 'sbatch --account' },
    qos: { type: 'string', minLength: 1, description: 'sbatch --qos' },
    constraint: { type: 'string', minLength: 1, description: 'sbatch --constraint: features that the node must have' },
    time: {
      type: ['string', 'number'],
      exclusiveMinimum: 0,
      description: 'sbatch --time, in seconds or as `90m`, `2h`, `3d`; a little more than `timeout` if not said',
    },
    options: {
      type: 'array',
      items: { type: 'string', pattern: '^-' },
      description: 'more options of sbatch, which win over what the stage asks for: `[--gres=gpu:a100:1]`',
    },
  },
} as const

const sources =
  '`stage.output`, a path, `file:PATH`, `builtin:NAME`, `hub:OWNER/REPO@REVISION`, `https://HOST/PATH#sha256=DIGEST`'

export const sourceSchema = { type: 'string', minLength: 1, description: 'one of ' + sources } as const

/** A stage as it is written, once every `${}` stands for its value. */
export const stageSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    run: {
      type: 'string',
      minLength: 1,
      description: 'the file of a stage, `stages/distill.ts`, relative to pipeline.yaml; or `npm:PACKAGE/SUBPATH`',
    },
    cmd: {
      type: 'array',
      minItems: 1,
      items: { type: ['string', 'number', 'boolean'] },
      description:
        'a program and its arguments, run without a shell; `${in.NAME}`, `${out.NAME}` and `${with.a}` stand inside them',
    },
    in: {
      type: 'object',
      additionalProperties: sourceSchema,
      description: 'name to source: ' + sources,
    },
    with: { type: 'object', description: 'the parameters of this stage' },
    out: {
      type: 'array',
      items: {
        type: ['string', 'object'],
        minLength: 1,
        minProperties: 1,
        maxProperties: 1,
        additionalProperties: { type: 'string', minLength: 1 },
      },
      description: 'names of outputs, or pairs of a name and its file name: `[model, page: report.html]`',
    },
    matrix: {
      type: 'object',
      minProperties: 1,
      additionalProperties: { type: ['array', 'object'], minItems: 1, minProperties: 1 },
      description: 'axis to its values, a list or a map; the stage runs once for each combination',
    },
    resources: {
      type: 'object',
      additionalProperties: false,
      properties: {
        gpu: { type: 'integer', minimum: 0, description: 'GPUs' },
        cpu: { type: 'integer', minimum: 1, description: 'cores' },
        memory: { type: ['string', 'integer'], minimum: 1, description: 'bytes, or text such as `4GiB`' },
      },
      description: 'what the stage holds while it runs',
    },
    env: {
      type: 'array',
      items: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
      description: 'names of environment variables that the stage sees and its key holds',
    },
    timeout: {
      type: ['string', 'number'],
      exclusiveMinimum: 0,
      description: 'seconds, or text such as `90s`, `15m`, `2h`',
    },
    tolerance: {
      type: 'object',
      additionalProperties: {
        type: ['number', 'object'],
        minimum: 0,
        minProperties: 1,
        additionalProperties: false,
        properties: {
          absolute: { type: 'number', minimum: 0, description: 'how far at least' },
          relative: {
            type: 'number',
            minimum: 0,
            description: 'and how much farther, as a share of the recorded number',
          },
        },
      },
      description:
        'output to how far its numbers may be from the recorded ones when an experiment is reproduced: a number is both absolute and relative; not in the key',
    },
    retries: {
      type: ['integer', 'object'],
      minimum: 0,
      additionalProperties: false,
      properties: {
        times: { type: 'integer', minimum: 0, description: 'tries after the first; 1 if not said' },
        backoff: {
          type: ['string', 'number'],
          minimum: 0,
          description: 'the wait before the second try, in seconds or as `30s`; then doubled; 1 s if not said',
        },
      },
      description: 'how often a stage that failed is tried again, a number or `{ times: 2, backoff: 30s }`',
    },
    shards: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      description:
        'parts in which the work of a stage that divides is done, side by side as `resources` allow; each is kept, and a failed one runs again alone; not in the key',
    },
    executor: {
      enum: ['local', 'slurm'],
      description: 'where the stage runs: as processes of this machine, or as jobs of a Slurm cluster; not in the key',
    },
    slurm: {
      ...slurmSchema,
      description: 'what its jobs ask of Slurm beside `resources` and `timeout`; not in the key',
    },
  },
} as const

/** pipeline.yaml, after recipes and `--set`, once every `${}` of a parameter stands for its value. */
export const documentSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'pipeline.yaml',
  type: 'object',
  required: ['version', 'stages'],
  additionalProperties: false,
  properties: {
    version: { const: 1, description: 'the version of this format' },
    metrics: {
      type: 'string',
      description: "`stage.output`: the JSON output whose content is the experiment's metrics",
    },
    page: { type: 'string', description: "`stage.output`: the HTML output that is the experiment's page" },
    remote: {
      type: 'string',
      minLength: 1,
      description: 'a store of results shared with others: `file:PATH` or `s3://BUCKET/PREFIX`',
    },
    trust: {
      type: 'array',
      minItems: 1,
      items: { type: 'string', minLength: 1 },
      description:
        'the public keys, `ed25519:…` by `pipeline keygen`, of those whose results are taken from the remote; in no key of a stage',
    },
    slurm: { ...slurmSchema, description: 'what the jobs of all stages ask of Slurm, where a stage does not say else' },
    params: { type: 'object', description: 'every knob, in one tree; `${a.b}` takes a value or a subtree' },
    stages: { type: 'object', additionalProperties: stageSchema, description: 'name to stage' },
  },
} as const

/** What a document that keeps to the schema looks like. */
export type Document = FromSchema<typeof documentSchema>
export type StageSource = FromSchema<typeof stageSchema>
export type SlurmSource = NonNullable<StageSource['slurm']>
