import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { makeProject } from './project.ts'

const run = promisify(execFile)

describe('the launcher', () => {
  const { root } = makeProject({ after })
  const command = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, [join(root, 'lib/cli/bin.cjs'), ...args], { cwd: root })).stdout
  const cache = (): string => join(root, 'node_modules/.cache/pipeline/cli')
  const bundle = (): string => {
    const { main } = JSON.parse(readFileSync(join(cache(), 'current.json'), 'utf8')) as { main: string }
    return join(cache(), main, '..')
  }
  const kept = (): string[] => readdirSync(bundle()).filter((name) => name.endsWith('.code'))
  const assertSealed = (file: string): void => {
    const bytes = readFileSync(file)
    assert.ok(bytes.length > 1000)
    assert.ok(createHash('sha256').update(bytes.subarray(32)).digest().equals(bytes.subarray(0, 32)))
  }
  const graph = /^flowchart/

  it('keeps a command compiled for its next start', async () => {
    assert.match(await command('graph'), graph)
    await command('graph') // the first may have been too early to remember its sources
    const name = kept()[0]!
    assert.equal(name, `graph-${process.version}-${process.arch}.code`)
    const before = readFileSync(join(bundle(), name))
    assert.match(await command('graph'), graph)
    assert.ok(readFileSync(join(bundle(), name)).equals(before))
  })

  it('does without what was kept where it is damaged, cut short or of other options, and makes it anew', async () => {
    await command('graph')
    const file = join(bundle(), kept()[0]!)
    const whole = readFileSync(file)
    for (const at of [0, 31, 32, 40, 100, 1000, Math.floor(whole.length / 2), whole.length - 1]) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0xff
      writeFileSync(file, damaged)
      assert.match(await command('graph'), graph, `byte ${at}`)
      assertSealed(file)
    }
    for (const text of [whole.subarray(0, whole.length / 2), Buffer.alloc(0), Buffer.from('{}')]) {
      writeFileSync(file, text)
      assert.match(await command('graph'), graph)
      assertSealed(file)
    }
  })

  it('takes other code where a source has changed', async () => {
    await command('graph')
    const before = bundle()
    appendFileSync(join(root, 'lib/cli/main.ts'), "console.log('changed')\n")
    assert.match(await command('graph'), /^changed/)
    await command('graph')
    assert.notEqual(bundle(), before)
  })

  it('has the sources in ASCII, in which what they say is the same', async () => {
    appendFileSync(join(root, 'lib/cli/main.ts'), "if (/^[¹é😀]{3}$/u.test('¹é😀')) console.log('says ¹é😀')\n")
    assert.match(await command('graph'), /says ¹é😀/)
    assert.ok(readFileSync(join(bundle(), 'main.cjs')).every((byte) => byte < 128))
  })

  it('keeps nothing of a command that failed', async () => {
    await assert.rejects(command('nosuchcommand'))
    await assert.rejects(command('../../x'))
    assert.deepEqual(kept(), [`graph-${process.version}-${process.arch}.code`])
  })

  it('tells its version without a bundle', async () => {
    rmSync(cache(), { recursive: true })
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    for (const option of ['--version', '-V']) assert.equal(await command(option), `${version}\n`)
    assert.equal(existsSync(cache()), false)
  })
})
