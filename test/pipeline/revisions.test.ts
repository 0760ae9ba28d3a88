import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { readExperiment } from '../../lib/pipeline/experiment.ts'
import type { Input } from '../../lib/pipeline/pipeline.ts'
import type { ResolveRevisions } from '../../lib/pipeline/revisions.ts'
import { Failure } from '../../lib/util/failure.ts'
import { err, ok } from '../../lib/util/result.ts'
import { Rig, shell, stage } from './rig.ts'

const [first, second] = ['c0ffee'.padEnd(40, '0'), 'deadbeef'.padEnd(40, '0')] as const
const main: Input = { kind: 'string', value: 'hub:owner/text@main' }

/** A stage that writes what it is given, and a hub whose `main` can be moved. */
function make(context: TestContext, source: Input = main) {
  const rig = new Rig(context)
  const tell = shell('printf %s "$PIPELINE_IN_CORPUS" > "$PIPELINE_OUT_TEXT"')
  const stages = [stage('tell', tell, { in: { corpus: source }, out: { text: 'text.txt' } })]
  const hub: { commit: string; readonly asked: string[] } = { commit: first, asked: [] }
  const resolveRevisions: ResolveRevisions = (sources) => {
    hub.asked.push(...sources)
    return Promise.resolve(sources.map(() => ok(hub.commit)))
  }
  return { rig, stages, hub, options: { resolveRevisions } }
}

describe('a source of the hub that names a branch', () => {
  it('is handed over and recorded by its commit', async (t) => {
    const { rig, stages, options } = make(t)
    const { finished } = await rig.run(stages, options)
    assert.equal(rig.read('artifacts/tell/text.txt'), `hub:owner/text@${first}`)
    const found = readExperiment(rig.root, finished.experiment!)
    assert.deepEqual(found.ok && found.value.record.revisions, { 'hub:owner/text@main': `hub:owner/text@${first}` })
  })

  it('runs again when it has moved, which the plan says, and not when it has not', async (t) => {
    const { rig, stages, hub, options } = make(t)
    const { finished } = await rig.run(stages, options)
    assert.deepEqual(await rig.outcomes(stages, options), ['tell: fresh'])
    hub.commit = second
    const [plan] = await rig.plan(stages, options)
    assert.equal(
      plan!.reason,
      'in.corpus (hub:owner/text@main)  "hub:owner/text@c0ffee000000" → "hub:owner/text@deadbeef0000"',
    )
    const moved = await rig.run(stages, options)
    assert.equal(rig.read('artifacts/tell/text.txt'), `hub:owner/text@${second}`)
    assert.notEqual(moved.finished.experiment, finished.experiment)
    hub.commit = first
    assert.deepEqual(await rig.outcomes(stages, options), ['tell: restored'])
  })

  it('is the same as its commit written out, which nobody is asked about', async (t) => {
    const { rig, stages, hub, options } = make(t)
    await rig.run(stages, options)
    hub.asked.length = 0
    const exact = [{ ...stages[0]!, in: { corpus: { kind: 'string', value: `hub:owner/text@${first}` } as const } }]
    assert.deepEqual(await rig.outcomes(exact, options), ['tell: fresh'])
    assert.deepEqual(hub.asked, [])
  })

  it('is asked about once, however many read it, and not where no stage that runs does', async (t) => {
    const { rig, stages, hub, options } = make(t)
    const other = { ...stages[0]!, id: 'other', name: 'other' }
    await rig.run([stages[0]!, other], options)
    assert.deepEqual(hub.asked, [main.value])
    hub.asked.length = 0
    await rig.run([stage('plain', shell('true')), other], { ...options, targets: ['plain'] })
    assert.deepEqual(hub.asked, [])
  })

  it('stops the run at its first place in pipeline.yaml where the hub does not know it', async (t) => {
    const { rig, stages } = make(t)
    const unknown = new Failure('HUB_NOT_FOUND', 'It is not there.')
    const place = { file: 'pipeline.yaml', line: 3, column: 9 }
    const placed = [
      { ...stages[0]!, places: () => ({ 'in.corpus': place }) },
      { ...stages[0]!, id: 'other', name: 'other' },
    ]
    await assert.rejects(rig.run(placed, { resolveRevisions: () => Promise.resolve([err(unknown)]) }), {
      ...{ code: 'HUB_NOT_FOUND', exitCode: 2, place },
      message: 'Input "corpus" of stage "tell": It is not there.',
    })
    assert.deepEqual(rig.events, [])
  })
})
