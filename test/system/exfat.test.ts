import assert from 'node:assert/strict'
import { cpSync, existsSync, linkSync, lstatSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { initialise, saveModel } from '../../lib/model/weights.ts'
import { outcomes } from '../e2e/command.ts'
import { config as learner } from '../e2e/learner.ts'
import { makeShare } from '../e2e/sharing.ts'
import { Kept, joined } from '../e2e/store-care.ts'
import { SUM } from '../pipeline/sum.ts'
import { keptOnExfat } from './exfat.ts'

const ran = async (place: Kept, ...args: string[]): Promise<string[]> => outcomes((await place.lines(...args)).last)
const gone = async (place: Kept): Promise<string[]> =>
  (await place.gc()).removed.map(({ stage, key }) => `${stage}/${key}`).sort()

describe('on a disk that has no links', { concurrency: false }, () => {
  it('nothing that is tested here can be made, and case is not told apart', (t) => {
    const place = keptOnExfat(t)
    const [file, link] = [place.path('pipeline.yaml'), place.path('link')]
    assert.throws(() => { symlinkSync('pipeline.yaml', link) }, { code: 'ENOSYS' }) // prettier-ignore
    assert.throws(() => { linkSync(file, link) }, { code: 'EPERM' }) // prettier-ignore
    assert.ok(existsSync(place.path('PIPELINE.yaml')))
    assert.equal(lstatSync(file).mode & 0o111, 0o111)
  })

  it('a text file with the path stands in for each: run, plan, status, explain, du, gc, verify read it', async (t) => {
    const place = keptOnExfat(t)
    const first = await place.make(1)
    const link = (hash: string): string => `store/${place.resultsOf(hash)[0]!}\n`
    assert.equal(place.read('artifacts/join'), link(first))
    assert.deepEqual(await ran(place), ['make: fresh', 'join: fresh'])
    assert.match((await place.run('run', '--dry-run')).out, /^2 fresh$/m)
    const second = await place.make(2)
    assert.equal(place.read('artifacts/join'), link(second))
    assert.deepEqual(await ran(place), ['make: restored', 'join: restored'])
    assert.equal(place.read(`artifacts/${place.read('artifacts/join').trim()}/text`), joined(1))
    assert.match((await place.run('status')).out, /^2 fresh$/m)
    assert.deepEqual((await place.verify()).damaged, [])
    // no experiment has them any more: the first is current, as its text says
    const [kept, free] = [place.resultsOf(first), place.resultsOf(second)]
    rmSync(place.path('artifacts/experiments'), { recursive: true })
    assert.deepEqual(await gone(place), free)
    assert.deepEqual(place.kept(), kept)
    const { stages } = await place.du()
    assert.deepEqual(stages.flatMap(({ results }) => results.map(({ needs }) => needs)), [['current'], ['current']]) // prettier-ignore
    rmSync(place.path('artifacts/join'))
    assert.deepEqual(await ran(place), ['make: fresh', 'join: restored'])
  })

  it('a matrix comes and goes; what a user put there is moved aside, also a text', async (t) => {
    const place = keptOnExfat(t)
    await place.make(1)
    const cells = { stages: { make: { matrix: { side: ['Left', 'right'] } }, join: null } }
    place.write('cells.yaml', JSON.stringify(cells))
    const asked = ['-p', 'cells.yaml']
    assert.deepEqual(await ran(place, ...asked), ['make[Left]: restored', 'make[right]: restored'])
    assert.deepEqual(readdirSync(place.path('artifacts/make')).sort(), ['Left', 'right'])
    assert.match(place.read('artifacts/make/right'), /^\.\.\/store\/make\/[0-9a-f]{64}\n$/)
    assert.deepEqual(await ran(place, ...asked), ['make[Left]: fresh', 'make[right]: fresh'])
    assert.deepEqual(await ran(place), ['make: restored', 'join: fresh'])
    assert.equal(existsSync(place.path('artifacts/store/.aside')), false)
    for (const text of ['precious\n', 'store\n', '../elsewhere\n', `${'x'.repeat(5000)}\n`, '']) {
      place.write('artifacts/make', text)
      const { lines, last } = await place.lines()
      assert.deepEqual(outcomes(last), ['make: restored', 'join: fresh'])
      const [said] = lines.flatMap((line) => (line['code'] === 'MOVED_ASIDE' ? [String(line['message'])] : []))
      assert.equal(place.read(/moved to ".*?(artifacts\/store\/\.aside\/.*?)"/.exec(said!)![1]!), text)
    }
  })

  it('what a shorter run left is copied for the longer one, for want of hard links', async (t) => {
    const place = keptOnExfat(t)
    place.write('package.json', '{"type":"module"}')
    place.write('sum.ts', SUM)
    const stages = (epochs: number): object => ({ sum: { run: 'sum.ts', with: { epochs, rate: 1 }, out: ['sum'] } })
    for (const [epochs, took] of [
      [2, 2],
      [5, 3],
      [6, 1],
    ] as const) {
      place.write('pipeline.yaml', JSON.stringify({ version: 1, stages: stages(epochs) }))
      const { lines } = await place.lines()
      assert.deepEqual(
        lines.flatMap((line) => (line.type === 'stage-log' ? [line['line']] : [])),
        [`took ${took}`],
      )
    }
  })

  it('a model is found below such a text file too', async (t) => {
    const place = keptOnExfat(t)
    const config = { ...learner, vocabSize: 600 }
    saveModel(place.path('m'), { config, weights: initialise(config, 1) }, { eos: 0 })
    cpSync(join(import.meta.dirname, '../fixtures/harness/model/tokenizer.json'), place.path('m/tokenizer.json'))
    const cmd = ['cp', '-r', '${in.model}', '${out.model}']
    const stages = { copy: { cmd, in: { model: 'm' }, out: ['model'], matrix: { n: [1] } } }
    place.write('pipeline.yaml', JSON.stringify({ version: 1, stages }))
    assert.deepEqual(await ran(place), ['copy[1]: ran'])
    const { code, errors } = await place.run('export', 'file:artifacts/copy/1/model', '--to', 'out')
    assert.deepEqual([code, errors], [0, ''])
    assert.ok(existsSync(place.path('out/model.safetensors')))
    // a text of the user's own says nothing
    place.write('note', 'm\n')
    assert.match((await place.run('export', 'file:note', '--to', 'other')).errors, /note/)
  })

  it('a result has the digests that it has elsewhere, and is pushed and pulled', async (t) => {
    const [there, here] = [new Kept(t), keptOnExfat(t)]
    const share = makeShare(t)
    for (const place of [there, here]) {
      const text = place.read('pipeline.yaml')
      place.write('pipeline.yaml', text.replace('version: 1', `version: 1\nremote: file:${share}`))
    }
    const hash = await there.make(1)
    assert.deepEqual(await ran(here), ['make: restored', 'join: restored'])
    const manifest = (place: Kept): string => place.read(`artifacts/store/${there.resultsOf(hash)[1]!}/manifest.json`)
    assert.equal(manifest(here), manifest(there))
    await here.make(2)
    assert.deepEqual(await ran(there, '--set', 'n=2'), ['make: restored', 'join: restored'])
    const own = keptOnExfat(t)
    await own.make(1)
    const outputs = (place: Kept): unknown => (JSON.parse(manifest(place)) as { outputs: unknown }).outputs
    assert.deepEqual(outputs(own), outputs(there))
  })

  it('a result that has links within it is not taken, said, and made here; others are', async (t) => {
    const [there, here] = [new Kept(t), keptOnExfat(t)]
    const linked =
      'mkdir "$1" && echo text > "$1/file" && { ln -s file "$1/link" 2> /dev/null || cp "$1/file" "$1/link"; }'
    const stages = {
      plain: { cmd: ['sh', '-c', 'echo text > "$1"', 'sh', '${out.o}'], out: ['o'] },
      linked: { cmd: ['sh', '-c', linked, 'sh', '${out.o}'], in: { o: 'plain.o' }, out: ['o'] },
    }
    const yaml = JSON.stringify({ version: 1, remote: `file:${makeShare(t)}`, stages })
    for (const place of [there, here]) place.write('pipeline.yaml', yaml)
    assert.deepEqual(await ran(there), ['plain: ran', 'linked: ran'])
    const pulled = await here.run('pull')
    assert.equal(pulled.code, 1)
    assert.match(pulled.out + pulled.errors, /refused {2}linked {2}The result has a link, "o\/link"/)
    const { lines, last } = await here.lines()
    assert.deepEqual(outcomes(last), ['plain: restored', 'linked: ran'])
    const [said] = lines.flatMap((line) => (line['code'] === 'LINKS_MISSING' ? [String(line['message'])] : []))
    assert.match(said!, /The result is not taken from there\./)
  })

  it('reproduces, pins and tags; a killed run leaves nothing that the next one minds', async (t) => {
    const place = keptOnExfat(t)
    const hash = await place.make(1)
    place.write('hold', '')
    const { child, ended } = place.start(['run', '--set', 'n=2'])
    await place.until('held')
    child.kill('SIGKILL')
    await ended
    rmSync(place.path('hold'))
    const again = await place.make(2)
    assert.deepEqual(
      place.beside('join').filter((name) => !name.startsWith('.lock-')),
      [],
    )
    assert.equal((await place.run('tag', again, 'best')).code, 0)
    for (const one of [hash, again]) {
      const { code, out, errors } = await place.run('reproduce', one)
      assert.deepEqual([code, errors], [0, ''], out)
    }
    assert.deepEqual((await place.verify()).damaged, [])
  })
})
