import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { DOUBLE } from '../pipeline/lines.ts'
import { Place } from '../e2e/command.ts'
import { PIPELINE } from '../e2e/workflow.ts'
import { pythonPrograms } from './trackers.ts'

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

test('Argo’s own models take the workflow, every key of it', { timeout: 600_000 }, async (t) => {
  const place = new Place(t)
  place.env['WORKFLOW_TEST'] = '1'
  place.write('pipeline.yaml', PIPELINE)
  place.write('package.json', '{ "type": "module" }')
  place.write('double.ts', DOUBLE(join(place.root, 'log')))
  place.write('input.txt', 'a\nb\nc\nd\n')
  const { code, out, errors } = await place.run('export', '--to', 'argo')
  assert.equal(code, 0, errors)
  const python = join(pythonPrograms('argo', PACKAGES), 'python')
  const check = (text: string): [unknown, unknown] =>
    JSON.parse(
      execFileSync(python, ['-c', CHECK], { input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] }),
    ) as [unknown, unknown]
  const [given, kept] = check(out)
  assert.deepEqual(kept, given)
  const [misspelt, without] = check(out.replace('failFast', 'failfast'))
  assert.notDeepEqual(without, misspelt)
  assert.throws(() => check(out.replace(/activeDeadlineSeconds: 970/, 'activeDeadlineSeconds: [1]')))
})
