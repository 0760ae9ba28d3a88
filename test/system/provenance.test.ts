import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { Place } from '../e2e/command.ts'
import { pythonPrograms } from './trackers.ts'

const PACKAGES = ['roc-validator==0.13.0', 'in-toto-attestation==0.9.3', 'rocrate==0.16.0']

/** A program with a folder, cells, a module, an empty output, a name that a URI has to escape. */
const PIPELINE = `version: 1
metrics: count.metrics
stages:
  make:
    cmd: [sh, -c, 'mkdir "$1"; echo a > "$1/a b"; : > "$1/b"', sh, '\${out.folder}']
    out: [folder]
  cells:
    matrix: { side: { left: left, right: 'r/ight %' } }
    cmd: [sh, -c, 'cat "$1"/* > "$2"; echo "$3" >> "$2"', sh, '\${in.folder}', '\${out.text}', '\${matrix.side}']
    in: { folder: make.folder }
    out: [text]
    env: [LANG]
  count:
    run: stages/count.ts
    in: { texts: cells.text }
    with: { deep: { list: [1, null, true] } }
    out: [metrics]
`

const COUNT = `import { writeFileSync } from 'node:fs'
export default {
  params: { type: 'object' }, in: ['texts{}'], out: ['metrics'],
  async run({ in: { texts }, out }) { writeFileSync(out.metrics, JSON.stringify({ n: Object.keys(texts).length })) },
}
`

interface Told {
  readonly issues: readonly string[]
  readonly statements: readonly {
    readonly predicateType: string
    readonly subjects: Readonly<Record<string, { readonly sha256: string }>>
    readonly stage: string
    readonly reads: readonly string[]
    readonly node: string
    readonly took: boolean
  }[]
  readonly files: readonly string[]
  readonly actions: Readonly<Record<string, string>>
}

/** What is recommended of a crate and not known here: who is to be named, and where the code of a stage is on the web. */
const NOT_KNOWN = [/ Application SHOULD have a url$/, /id SHOULD be an absolute URI$/, /agent|author|publisher/]

test('others’ validators find nothing wrong with a crate and its statements', { timeout: 600_000 }, async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', PIPELINE)
  place.write('stages/count.ts', COUNT)
  place.write('package.json', '{ "type": "module", "name": "mine", "license": "MIT" }')
  const { code, last } = await place.lines()
  assert.equal(code, 0, JSON.stringify(last))
  const written = await place.run('provenance', String(last['experiment']), '--to', 'crate', '--json')
  const { files } = JSON.parse(written.out) as { files: string[] }

  const python = join(pythonPrograms('provenance', PACKAGES), 'python')
  const program = join(import.meta.dirname, 'check_provenance.py')
  const told = JSON.parse(
    execFileSync(python, [program, 'crate'], { cwd: place.root, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] }),
  ) as Told
  assert.deepEqual(
    told.issues.filter((issue) => !NOT_KNOWN.some((known) => known.test(issue))),
    [],
  )
  assert.ok(told.issues.length > 0 && told.issues.every((issue) => issue.startsWith('RECOMMENDED ')))
  const paths = files.filter((file) => file !== 'ro-crate-metadata.json')
  assert.deepEqual(told.files.map((id) => decodeURI(id)).sort(), paths)
  const names = ['make', 'cells[left]', 'cells[right]', 'count']
  assert.deepEqual(Object.keys(told.actions).sort(), names.map((name) => `Stage ${name}`).sort())
  assert.deepEqual(told.statements.map(({ stage }) => stage).sort(), names.toSorted())
  const by = new Map(told.statements.map((statement) => [statement.stage, statement]))
  assert.deepEqual(Object.keys(by.get('make')!.subjects).sort(), ['folder/a b', 'folder/b'])
  assert.deepEqual(by.get('count')!.reads, ['code', 'texts[left]', 'texts[right]'])
  for (const { predicateType, node, took } of told.statements)
    assert.deepEqual([predicateType, node, took], ['https://slsa.dev/provenance/v1', process.version, true])
})
