import assert from 'node:assert/strict'
import { existsSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { Place, outcomes } from './command.ts'

const STAGE = (word: string): string => `import { writeFileSync } from 'node:fs'
import { double } from 'doubling'
import { word } from './word.js'
export default {
  params: { type: 'object', additionalProperties: false, properties: { times: { type: 'integer', default: 2 } } },
  in: [],
  out: ['text'],
  async run({ with: { times }, out }) { writeFileSync(out.text, (word + '${word}').repeat(double(times))) },
}
`

const manifest = (name: string, version: string, more: object = {}): string =>
  JSON.stringify({ name, version, type: 'module', ...more })

/** A package of stages and one that it imports, as pnpm lays them: beside each other, and only the first linked. */
function install(place: Place, layout: 'npm' | 'pnpm'): string {
  const own = layout === 'npm' ? 'node_modules' : 'node_modules/.pnpm/stages-of-mine@1.0.0/node_modules'
  const folder = join(own, 'stages-of-mine')
  const exports = { './repeat': './src/repeat.js', './broken': './src/none.js' }
  place.write(
    join(folder, 'package.json'),
    manifest('stages-of-mine', '1.0.0', { exports, dependencies: { doubling: '1' } }),
  )
  place.write(join(folder, 'src/repeat.js'), STAGE('!'))
  place.write(join(folder, 'src/word.js'), `export const word = 'hey'\n`)
  place.write(join(own, 'doubling', 'package.json'), manifest('doubling', '1.0.0'))
  place.write(join(own, 'doubling', 'index.js'), 'export const double = (x) => 2 * x\n')
  if (layout === 'pnpm') symlinkSync(join(place.root, folder), join(place.root, 'node_modules/stages-of-mine'))
  return folder
}

function project(t: TestContext, run = 'npm:stages-of-mine/repeat'): Place {
  const place = new Place(t)
  place.write('package.json', manifest('mine', '0.0.0'))
  place.write('pipeline.yaml', `version: 1\nstages:\n  say: { run: '${run}', out: [text] }\n`)
  return place
}

describe('a stage that comes in a package', () => {
  for (const layout of ['npm', 'pnpm'] as const) {
    it(`runs as ${layout} lays it, reruns when its code or a package that it imports is another, and is reproduced`, async (t) => {
      const place = project(t)
      const folder = install(place, layout)
      const first = await place.lines()
      assert.deepEqual([first.code, outcomes(first.last)], [0, ['say: ran']])
      assert.equal(place.read('artifacts/say/text'), 'hey!'.repeat(4))
      assert.deepEqual(outcomes((await place.lines()).last), ['say: fresh'])

      place.write(join(folder, 'src/word.js'), `export const word = 'ho' // another\n`)
      assert.deepEqual(outcomes((await place.lines()).last), ['say: ran'])
      assert.equal(place.read('artifacts/say/text'), 'ho!'.repeat(4))

      place.write(join(dirname(folder), 'doubling', 'package.json'), manifest('doubling', '1.0.1'))
      assert.deepEqual(outcomes((await place.lines()).last), ['say: ran'], 'no lockfile: the package.json counts')

      const { code, out } = await place.run('reproduce', String(first.last.experiment).slice(0, 12))
      assert.deepEqual([code, /identical +say/.test(out)], [0, true])
    })
  }

  it('names a package that is not installed, and a module that it does not have', async (t) => {
    const missing = await project(t).run('run')
    assert.equal(missing.code, 2)
    assert.match(missing.errors, /pipeline\.yaml:3:15: The package "stages-of-mine" is not installed\. Run `npm install stages-of-mine`\. \[PROGRAM_MISSING\]/) // prettier-ignore
    for (const name of ['other', 'broken']) {
      const place = project(t, `npm:stages-of-mine/${name}`)
      install(place, 'npm')
      const { code, errors } = await place.run('run')
      assert.equal(code, 2)
      assert.match(errors, new RegExp(`The package "stages-of-mine" has no module "stages-of-mine/${name}"`))
    }
  })

  it('refuses one that imports a package which is not installed', async (t) => {
    const place = project(t)
    const folder = install(place, 'npm')
    rmSync(join(place.root, dirname(folder), 'doubling'), { recursive: true })
    const { code, errors } = await place.run('run')
    assert.equal(code, 2)
    assert.match(errors, /The package "doubling" is imported, but it is not installed\. .*\[PACKAGE_MISSING\]/)
  })

  it('may be one of this package, from any folder', async (t) => {
    const place = new Place(t)
    place.write('package.json', manifest('mine', '0.0.0'))
    place.write(
      'pipeline.yaml',
      'version: 1\nstages:\n  world: { run: npm:distil-pipeline/stages/world, with: { train: 3, validation: 1, test: 1, items: 4 }, out: [corpus, tasks, tokenizer] }\n',
    )
    const { code, last } = await place.lines()
    assert.deepEqual([code, outcomes(last)], [0, ['world: ran']])
    assert.ok(existsSync(join(place.root, 'artifacts/world/corpus')))
  })
})
