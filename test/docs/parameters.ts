import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { documentSchema, stageSchema } from '../../lib/pipeline/schema.ts'
import { isRecord } from '../../lib/util/json.ts'
import { GENERATED } from './generated.ts'

type Schema = Readonly<Record<string, unknown>>

interface Module {
  readonly default: {
    readonly params: Schema
    readonly in?: readonly string[]
    readonly out?: readonly string[]
  }
}

const folder = join(import.meta.dirname, '../../stages')

/** docs/parameters.md: all keys of pipeline.yaml, and of each stage that comes with the package its parameters. */
export async function parametersPage(): Promise<string> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'))
  const stages = await Promise.all(files.sort().map(stageSection))
  return `${GENERATED}
# Parameters

From the schemas by which \`pipeline.yaml\` and each stage's \`with:\` are checked. An editor with a YAML language server
completes them by \`pipeline.schema.json\`.

## pipeline.yaml

${table(documentSchema)}

## A stage

${table(stageSchema)}

${stages.join('\n\n')}
`
}

async function stageSection(file: string): Promise<string> {
  const { default: stage } = (await import(join(folder, file))) as Module
  const named = (what: string, names: readonly string[] = []): string =>
    names.length === 0 ? '' : `${what}: ${names.map((name) => `\`${name}\``).join(', ')}. `
  const places = `${named('Inputs', stage.in)}${named('Outputs', stage.out)}`.trim()
  const parameters = propertiesOf(stage.params).length > 0 ? table(stage.params) : 'No parameters.'
  return `## stages/${file}\n\n${places}\n\n${parameters}`
}

const propertiesOf = ({ properties }: Schema): [string, Schema][] =>
  isRecord(properties) ? (Object.entries(properties) as [string, Schema][]) : []

function table(schema: Schema): string {
  const required = (schema['required'] ?? []) as readonly string[]
  const rows = propertiesOf(schema).map(([name, one]) =>
    [`\`${name}\``, kindOf(one), defaultOf(one, required.includes(name)), meaningOf(one)]
      .map((cell) => cell.replaceAll('|', '\\|'))
      .join(' | '),
  )
  return ['| | takes | default | |', '|---|---|---|---|', ...rows.map((row) => `| ${row} |`)].join('\n')
}

function defaultOf(schema: Schema, isRequired: boolean): string {
  if ('default' in schema) return `\`${JSON.stringify(schema['default'])}\``
  return isRequired ? 'must be given' : ''
}

/** With a line for each value of a choice, and for each property of a map. */
function meaningOf(schema: Schema): string {
  const branches = [schema, ...((schema['anyOf'] ?? []) as readonly Schema[])]
  const values = branches.flatMap(({ enum: names, enumDescriptions }) =>
    ((enumDescriptions ?? []) as readonly string[]).map((text, n) => [(names as readonly string[])[n]!, text] as const),
  )
  const within = propertiesOf(schema).map(([name, one]) => [name, one['description'] as string] as const)
  const lines = [...values, ...within].map(([name, text]) => `\`${name}\`: ${text}`)
  return [(schema['description'] ?? '') as string, ...lines].join('<br>')
}

function kindOf(schema: Schema): string {
  const choice = schema['anyOf'] as readonly Schema[] | undefined
  if (choice) return choice.map(kindOf).join(' or ')
  const { type, enum: choices, const: only, items } = schema as { type?: string | string[]; enum?: unknown[]; const?: unknown; items?: Schema } // prettier-ignore
  if (only !== undefined) return `\`${JSON.stringify(only)}\``
  if (choices) return choices.map((one) => `\`${String(one)}\``).join(', ')
  const names = [type ?? 'any'].flat().map((one) => {
    if (one === 'array' && items) return `list of ${kindOf(items)}`
    return one === 'number' || one === 'integer' ? `${words[one]!}${limitsOf(schema)}` : words[one]
  })
  return names.join(' or ')
}

const words: Readonly<Record<string, string>> = {
  any: 'anything',
  array: 'list',
  boolean: '`true` or `false`',
  integer: 'whole number',
  null: '`null`',
  number: 'number',
  object: 'map',
  string: 'text',
}

function limitsOf(schema: Schema): string {
  const signs = { minimum: '≥', exclusiveMinimum: '>', maximum: '≤', exclusiveMaximum: '<' } as const
  const limits = Object.entries(signs).flatMap(([key, sign]) =>
    typeof schema[key] === 'number' ? [`${sign} ${schema[key]}`] : [],
  )
  return limits.length === 0 ? '' : ` ${limits.join(', ')}`
}
