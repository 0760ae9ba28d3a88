import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { outcomes } from '../e2e/command.ts'
import { makeProject } from '../e2e/project.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** The stages and the pipeline.yaml that a page shows, in the order in which they stand there. */
function examplesOf(page: string): { readonly stage: string; readonly text: string; readonly yaml: string } {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const [, stage, code] = /^```ts\n\/\/ (stages\/\S+\.ts)\n([^]*?)^```$/m.exec(text)!
  const [, yaml] = /^```yaml\n([^]*?)^```$/m.exec(text.slice(text.indexOf(code!)))!
  return { stage: stage!, text: code!, yaml: yaml! }
}

const pages = [
  ['README.md', ['shout: ran', 'count: ran']],
  ['docs/pipelines.md', ['settle: ran']],
] as const

for (const [page, ran] of pages) {
  it(`the stage that ${page} shows has right types, and runs`, async (t) => {
    const place = makeProject(t)
    const { stage, text, yaml } = examplesOf(page)
    place.write(stage, text)
    place.write('README.md', 'a text')
    place.write('pipeline.yaml', yaml.startsWith('version') ? yaml : `version: 1\n${yaml}`)
    const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as Record<string, unknown>
    place.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [stage] }))
    const types = ['--typeRoots', join(ROOT, 'node_modules/@types'), '--project', place.root]
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...types], { encoding: 'utf8' })
    const { last } = await place.lines()
    assert.deepEqual(outcomes(last), ran)
  })
}

it('the stage of docs/pipelines.md gives its metrics, its curves and its log', async (t) => {
  const place = makeProject(t)
  const { stage, text, yaml } = examplesOf('docs/pipelines.md')
  place.write(stage, text)
  place.write('pipeline.yaml', yaml)
  const { last } = await place.lines()
  const { root } = last.metrics as { readonly root: number }
  assert.ok(Math.abs(root - Math.SQRT2) < 1e-12, String(root))
  const record = join('artifacts/experiments', String(last.experiment), 'metrics.jsonl')
  assert.equal(place.read(record).trimEnd().split('\n').length, 21)
})
