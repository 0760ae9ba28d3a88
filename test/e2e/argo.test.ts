import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { DOUBLE } from '../pipeline/lines.ts'
import { Place, outcomes } from './command.ts'
import type { Context } from './command.ts'
import { PIPELINE, commandsOf, runWorkflow, tasksOf, templateOf } from './workflow.ts'
import type { Workflow } from './workflow.ts'

function makePlace(context: Context): Place {
  const place = new Place(context)
  place.env['WORKFLOW_TEST'] = 'secret'
  place.write('pipeline.yaml', PIPELINE)
  place.write('package.json', '{ "type": "module" }')
  place.write('double.ts', DOUBLE(join(place.root, 'log')))
  place.write('input.txt', 'a\nb\nc\nd\n')
  return place
}

async function exported(place: Place, ...args: string[]): Promise<Workflow> {
  const { code, out, errors } = await place.run('export', '--to', 'argo', '--json', ...args)
  assert.equal(code, 0, errors)
  return JSON.parse(out) as Workflow
}

describe('a workflow for Argo', () => {
  it('has the stages, cells and shards as tasks, with what they ask for', async (t) => {
    const place = makePlace(t)
    const workflow = await exported(place, '--image', 'my/image:1')
    assert.deepEqual(
      tasksOf(workflow).map(({ name, dependencies }) => `${name}: ${dependencies.join(' ')}`),
      [
        'first-1: ',
        'double-2-parts: first-1',
        'double-2: double-2-parts',
        'cell-a-left-3: double-2',
        'cell-a-right-4: double-2',
        'count-5: first-1',
        'record: first-1 double-2 cell-a-left-3 cell-a-right-4 count-5',
      ],
    )
    const cell = templateOf(workflow, 'make-cell-a-3')
    const asked = { cpu: '4', memory: '1280Mi' }
    assert.deepEqual(cell.container!.resources, { requests: asked, limits: { ...asked, 'nvidia.com/gpu': '2' } })
    // fifteen minutes, ten seconds to write a checkpoint, and one minute
    assert.equal(cell.activeDeadlineSeconds, '970')
    assert.deepEqual(cell.retryStrategy, {
      limit: '3',
      retryPolicy: 'Always',
      expression: 'lastRetry.exitCode != "2"',
      backoff: { duration: '20s', factor: '2' },
    })
    const { parameters } = workflow.spec.arguments
    assert.deepEqual(parameters, [
      { name: 'image', value: 'my/image:1' },
      { name: 'claim', value: 'pipeline' },
      { name: 'env-WORKFLOW_TEST' },
    ])
    assert.ok(!JSON.stringify(workflow).includes('secret'))
  })

  it('names tasks and templates as Argo takes them, and none twice', async (t) => {
    const place = makePlace(t)
    const names = ['a_b', 'a-b', 'é', 'è', 'x', 'x-part']
    const lines = names.map((name) => `  ${name}: { cmd: [touch, '\${out.o}'], out: [o] }`)
    place.write('pipeline.yaml', `version: 1\nstages:\n${lines.join('\n')}\n`)
    const workflow = await exported(place, '--image', 'my/image:1')
    const given = [tasksOf(workflow), workflow.spec.templates].map((all) => all.map(({ name }) => name))
    for (const all of given) {
      assert.equal(new Set(all).size, all.length, all.join())
      assert.deepEqual(all.filter((name) => !/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(name)), []) // prettier-ignore
    }
  })

  it('gives, run step by step, what a run gives', { timeout: 120_000 }, async (t) => {
    const place = makePlace(t)
    const workflow = await exported(place, '--set', 'mark=new')
    const done = await runWorkflow(place, workflow)
    assert.equal(done.at(-1), 'record')
    assert.deepEqual(place.read('log').trimEnd().split('\n'), ['0-1', '1-2', '2-4', 'merge'])
    assert.equal(place.read('artifacts/cell_a/right/text'), 'aa\nbb\ncc\ndd\nr/ight\n')
    const { last } = await place.lines('--set', 'mark=new')
    assert.ok(outcomes(last).every((one) => one.endsWith(': fresh')))
    assert.equal(last['experiment'], workflow.metadata.annotations['pipeline/experiment'])
    assert.ok(place.has(`artifacts/experiments/${String(last['experiment'])}/record.json`))
  })

  it('has steps that refuse to run early, or of another pipeline', async (t) => {
    const place = makePlace(t)
    const workflow = await exported(place)
    const [, parts, merge] = tasksOf(workflow).map((task) => commandsOf(workflow, task)[0]!)
    const said = async (args: readonly string[]): Promise<string> => {
      const { code, errors } = await place.run(...args)
      return `${String(code)} ${/\[(\w+)\]/.exec(errors)?.[1] ?? errors}`
    }
    assert.equal(await said(parts!), '1 STEP_EARLY')
    assert.equal(await said(merge!), '1 STEP_EARLY')
    place.write('double.ts', DOUBLE(join(place.root, 'other')))
    assert.equal(await said(parts!), '2 STEP_CHANGED')
    assert.equal(
      await said(['stage', 'first', '--key', 'x', '--shard', '4/3']),
      "2 error: option '--shard <number/of>' argument '4/3' is invalid. Expected such as 2/8.\n",
    )
    assert.equal((await place.run('export', '--to', 'elsewhere')).code, 2)
    rmSync(join(place.root, 'double.ts'))
    assert.equal(await said(['export', '--to', 'argo']), '2 PROGRAM_MISSING')
  })
})
