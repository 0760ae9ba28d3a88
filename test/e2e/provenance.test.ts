import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { JsonObject } from '../../lib/util/json.ts'
import { FILL, Place } from './command.ts'

/** More than a chunk, of which a manifest has a digest of its own kind. */
const PIPELINE = `version: 1
stages:
  'make': { run: stages/fill.ts, with: { megabytes: 20 }, out: [text] }
  cells:
    matrix: { side: [left, right] }
    cmd: [sh, -c, 'wc -c < "$1" > "$2"; echo "$3" >> "$2"', sh, '\${in.text}', '\${out.size}', '\${matrix.side}']
    in: { text: make.text }
    out: [size]
`

const plain = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

interface Statement {
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[]
  readonly predicate: {
    readonly buildDefinition: JsonObject
    readonly runDetails: { readonly metadata: { startedOn: string; finishedOn: string } }
  }
}

test('provenance writes a crate that tells of every file, and a statement for every result', async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', PIPELINE)
  place.write('stages/fill.ts', FILL)
  place.write('package.json', '{ "type": "module", "name": "mine", "license": "MIT" }')
  const { last } = await place.lines()
  const hash = String(last['experiment'])
  const told = JSON.parse((await place.run('provenance', hash.slice(0, 12), '--to', 'crate', '--json')).out) as {
    folder: string
    files: string[]
  }
  const below = readdirSync(join(place.root, 'crate'), { recursive: true, withFileTypes: true }).filter((e) =>
    e.isFile(),
  )
  assert.equal(below.length, told.files.length)

  const statement = (stage: string): Statement =>
    JSON.parse(place.read(`crate/provenance/${encodeURIComponent(stage)}.intoto.json`)) as Statement
  assert.deepEqual(statement('make').subject, [
    { name: 'text', digest: { sha256: plain(join(place.root, 'artifacts/make/text')) } },
  ])
  const cell = statement('cells[left]')
  assert.equal(cell.subject[0]!.digest.sha256, plain(join(place.root, 'artifacts/cells/left/size')))
  const dependencies = cell.predicate.buildDefinition['resolvedDependencies'] as { name: string; digest: JsonObject }[]
  const record = JSON.parse(place.read('crate/record.json')) as { stages: Record<string, { outputs: JsonObject }> }
  assert.equal(
    dependencies.find(({ name }) => name === 'text')!.digest['distilPipelineTree'],
    record.stages['make']!.outputs['text'],
  )
  const { startedOn, finishedOn } = cell.predicate.runDetails.metadata
  assert.ok(startedOn < finishedOn)

  const crate = JSON.parse(place.read('crate/ro-crate-metadata.json')) as {
    '@graph': (JsonObject & { '@id': string })[]
  }
  const byId = new Map(crate['@graph'].map((entity) => [entity['@id'], entity]))
  for (const path of told.files.filter((file) => file !== 'ro-crate-metadata.json')) {
    assert.equal(byId.get(encodeURI(path))?.['sha256'], plain(join(place.root, 'crate', path)), path)
  }
  const run = byId.get('#run-cells%5Bleft%5D')!
  assert.deepEqual(run['object'], { '@id': 'provenance/make.intoto.json' })
  assert.deepEqual(run['result'], { '@id': 'provenance/cells%255Bleft%255D.intoto.json' })
  const links = JSON.stringify(crate).matchAll(/\{"@id":"([^"]+)"\}/g)
  for (const [, id] of links) assert.ok(byId.has(id!) || id!.includes('://'), `${id} is told of`)
  assert.deepEqual(byId.get('./')!['license'], { '@id': 'https://spdx.org/licenses/MIT' })
})

test('provenance refuses a folder that is there, and a result that is not', async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', PIPELINE)
  place.write('stages/fill.ts', FILL)
  place.write('package.json', '{ "type": "module" }')
  const { last } = await place.lines()
  const hash = String(last['experiment'])
  place.write('there/file', '')
  const there = await place.run('provenance', hash, '--to', 'there')
  assert.deepEqual([there.code, /FOLDER_EXISTS/.test(there.errors)], [2, true])
  rmSync(join(place.root, 'artifacts/store/make'), { recursive: true })
  const missing = await place.run('provenance', hash, '--to', 'crate')
  assert.deepEqual(
    [missing.code, /"make" of experiment .*RESULT_MISSING|RESULT_MISSING/s.test(missing.errors)],
    [2, true],
  )
  assert.deepEqual(
    readdirSync(place.root).filter((name) => name.includes('crate')),
    [],
  )
})
