import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { it } from 'node:test'
import { readWritten } from '../../lib/pipeline/config.ts'
import { editorSchema } from '../../lib/pipeline/editor-schema.ts'
import { stageSchemas } from '../../lib/pipeline/stage-schemas.ts'
import { pages } from './pages.ts'

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: boolean | Schema
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly enumDescriptions?: readonly string[]
  readonly description?: string
}

/** The parameters within a schema that have no description, or that of another beside them, or a value without one. */
function unexplained(schema: Schema, path: string): string[] {
  const texts = Object.values(schema.properties ?? {}).map(({ description }) => description)
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, one]) => {
    const isOwn =
      (one.description ?? '').length > 5 && texts.indexOf(one.description) === texts.lastIndexOf(one.description)
    return [...(isOwn ? [] : [`${path} ${name}`]), ...unexplained(one, `${path} ${name}`)]
  })
  const inner = [schema.items, schema.additionalProperties, ...(schema.anyOf ?? [])]
    .filter((one) => typeof one === 'object')
    .flatMap((one) => unexplained(one, path))
  const values =
    schema.enum?.length === (schema.enumDescriptions ?? []).length || !schema.enum ? [] : [`${path}: values`]
  return [...own, ...inner, ...values]
}

it('the pages of docs/ say what the code says (npm run docs writes them)', async () => {
  for (const [file, text] of Object.entries(await pages())) assert.equal(readFileSync(file, 'utf8'), text, file)
})

it('every parameter of every stage says what it is, in words of its own, and so does each value of a choice', async () => {
  const files = readdirSync('stages').map((name) => `stages/${name}`)
  const stages = await stageSchemas(process.cwd(), files.sort())
  assert.ok(stages.ok)
  const silent = [...stages.value].flatMap(([file, { params }]) => unexplained(params, file))
  assert.deepEqual(silent, [])
})

it('losses, the optimizer and its schedule name the source of their formula', async () => {
  const stages = await stageSchemas(process.cwd(), ['stages/distill.ts'])
  assert.ok(stages.ok)
  const { properties } = stages.value.get('stages/distill.ts')!.params as Schema
  for (const name of ['temperature', 'alpha', 'beta', 'skew', 'rate', 'warmup', 'weightDecay', 'clip', 'ema'])
    assert.match(properties![name]!.description!, /et al\. \d{4}|and [A-Z][a-z]+ \d{4}/, name)
  assert.match(
    properties!['loss']!.anyOf![0]!.enumDescriptions!.join('\n'),
    /forward|arXiv:1503\.02531[^]*arXiv:2306\.13649/,
  )
})

it('README.md has the picture that `pipeline graph` draws', () => {
  const drawn = execFileSync(process.execPath, ['lib/cli/bin.cjs', 'graph'], { encoding: 'utf8' })
  assert.ok(readFileSync('README.md', 'utf8').includes(`\`\`\`mermaid\n${drawn}\`\`\`\n`), drawn)
})

it('pipeline.schema.json says what the schemas of pipeline.yaml and of all stages say (npm run schema writes it)', async () => {
  const files = readdirSync('stages').map((name) => `stages/${name}`)
  const stages = await stageSchemas(process.cwd(), files.sort())
  const document = readWritten({ file: 'pipeline.yaml', overlays: [], sets: [] })
  assert.ok(stages.ok && document.ok)
  assert.equal(readFileSync('pipeline.schema.json', 'utf8'), editorSchema(stages.value, document.value))
})
