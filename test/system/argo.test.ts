import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { SchemaObject } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { DOUBLE } from '../pipeline/lines.ts'
import { Place } from '../e2e/command.ts'
import { PIPELINE } from '../e2e/workflow.ts'
import { programOf } from './debian.ts'
import { pythonPrograms } from './trackers.ts'

/** Holds the schema that Argo publishes, by which editors check workflows: `api/jsonschema/schema.json`. */
const MODULE = 'github.com/argoproj/argo-workflows/v3@v3.7.3'

/** Its models are made from Argo's published schema. They let unknown keys pass, but do not give them back. */
const PACKAGES = ['hera==7.1.0', 'PyYAML==6.0.3']

const CHECK = `
import json, sys, yaml
from hera.workflows.models import Workflow
given = yaml.safe_load(sys.stdin)
model = Workflow.model_validate(given)
kept = json.loads(model.model_dump_json(by_alias=True, exclude_none=True))
print(json.dumps([given, kept]))
`

/** The example project's workflow, as `export` prints it. */
async function exported(t: TestContext): Promise<string> {
  const place = new Place(t)
  place.env['WORKFLOW_TEST'] = '1'
  place.write('pipeline.yaml', PIPELINE)
  place.write('package.json', '{ "type": "module" }')
  place.write('double.ts', DOUBLE(join(place.root, 'log')))
  place.write('input.txt', 'a\nb\nc\nd\n')
  const { code, out, errors } = await place.run('export', '--to', 'argo')
  assert.equal(code, 0, errors)
  return out
}

test('Argo’s own models take the workflow, every key of it', { timeout: 600_000 }, async (t) => {
  const out = await exported(t)
  const python = join(pythonPrograms('argo', PACKAGES), 'python')
  const check = (text: string): [unknown, unknown] =>
    JSON.parse(
      execFileSync(python, ['-c', CHECK], { input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] }),
    ) as [unknown, unknown]
  const [given, kept] = check(out)
  assert.deepEqual(kept, given)
  const [misspelt, without] = check(out.replace('failFast', 'failfast'))
  assert.notDeepEqual(without, misspelt)
  assert.throws(() => check(out.replace(/activeDeadlineSeconds: "970"/, 'activeDeadlineSeconds: [1]')))
})

/** Argo's schema; `closed`, it takes no key that it does not name, as Argo itself does not. */
function argoSchema(closed: boolean): SchemaObject {
  const said = execFileSync(programOf('go', 'golang-go'), ['mod', 'download', '-json', MODULE], { encoding: 'utf8' })
  const { Dir } = JSON.parse(said) as { readonly Dir: string }
  const schema = JSON.parse(readFileSync(join(Dir, 'api', 'jsonschema', 'schema.json'), 'utf8')) as {
    readonly definitions: Readonly<Record<string, SchemaObject>>
  }
  const workflow = { definitions: schema.definitions, $ref: '#/definitions/io.argoproj.workflow.v1alpha1.Workflow' }
  if (closed)
    for (const one of Object.values(schema.definitions)) if ('properties' in one) one['additionalProperties'] = false
  return workflow
}

test(
  'Argo’s published schema takes the workflow, and has a name for every key of it',
  { timeout: 600_000 },
  async (t) => {
    const out = await exported(t)
    const formats = ['byte', 'date-time', 'int32', 'int64', 'uint64'] // which say what Go reads them into
    for (const closed of [false, true]) {
      const ajv = new Ajv2020({ strict: false, allErrors: true, formats: Object.fromEntries(formats.map((name) => [name, true])) }) // prettier-ignore
      const check = ajv.compile(argoSchema(closed))
      const errorsIn = (text: string) => (check(parse(text)), check.errors ?? [])
      assert.deepEqual(errorsIn(out), [])
      assert.notDeepEqual(errorsIn(out.replace('activeDeadlineSeconds: "970"', 'activeDeadlineSeconds: [1]')), [])
      assert.notDeepEqual(errorsIn(out.replace('kind: Workflow', 'kind: Workflows')), [])
      assert.equal(errorsIn(out.replace('failFast', 'failfast')).length > 0, closed)
    }
  },
)
