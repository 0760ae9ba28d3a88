import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { promisify, stripVTControlCharacters } from 'node:util'
import { Place } from './command.ts'

const BIN = join(import.meta.dirname, '..', '..', 'lib', 'cli', 'bin.cjs')
const MOVES = /\x1b\[\d*A/ // up: only what is drawn over and over does so

const YAML = `version: 1
params: { text: one }
stages:
  first: { cmd: [sh, -c, 'echo working; sleep 0.4; echo "$0" > "$1"', '\${text}', '\${out.o}'], out: [o] }
  second: { cmd: [sh, -c, 'echo about to fail; exit \${code}', '\${in.i}'], in: { i: first.o }, out: [o] }
`

function project(t: TestContext, code = 0): Place {
  const place = new Place(t)
  const make = code === 0 ? 'cp "$0" artifacts/../copy; touch "$1"; exit' : 'echo about to fail; exit'
  place.write(
    'pipeline.yaml',
    YAML.replace("'echo about to fail; exit ${code}', '${in.i}'", `'${make} ${code}', '\${in.i}', '\${out.o}'`),
  )
  return place
}

/** The command on a terminal that util-linux's \`script\` makes; all that it showed. */
async function onTerminal(place: Place, env: Record<string, string>, ...args: string[]): Promise<string> {
  const command = ['stty cols 90 rows 24;', `"${process.execPath}"`, `"${BIN}"`, 'run', ...args, '|| true'].join(' ')
  const all = { ...process.env, ...place.env, CI: '', NO_COLOR: '', TERM: 'xterm', SHELL: '/bin/sh', ...env }
  const { stdout } = await promisify(execFile)('script', ['-qec', command, '/dev/null'], { cwd: place.root, env: all })
  return stdout
}

it('on a terminal a block shows who is at work, and finished stages fold to a line', async (t) => {
  const place = project(t)
  const shown = await onTerminal(place, {})
  assert.match(shown, MOVES)
  const text = stripVTControlCharacters(shown)
  assert.match(text, /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/)
  assert.match(text, /1 to come: second/)
  assert.match(text, /✓ first {2}\d+(\.\d+)? s/)
  assert.match(text, /finished in .*2 ran/)
  assert.match(stripVTControlCharacters(await onTerminal(place, {})), /✓ first, second {2}fresh/)
  assert.match(stripVTControlCharacters(await onTerminal(place, {}, '--set', 'text=two')), /✓ first {2}\d/)
  assert.match(
    stripVTControlCharacters(await onTerminal(place, {})),
    /✓ first {2}\d+(\.\d+)? s {2}restored from [0-9a-f]{8}\b/,
  )
})

it('on a terminal a stage that failed leaves a line, and one that was not reached another', async (t) => {
  const place = project(t, 3)
  const third = `  third: { cmd: [sh, -c, 'cp "$0" "$1"', '\${in.i}', '\${out.o}'], in: { i: second.o }, out: [o] }\n`
  place.write('pipeline.yaml', place.read('pipeline.yaml') + third)
  const text = stripVTControlCharacters(await onTerminal(place, {}))
  assert.match(text, /✗ second {2}\d+(\.\d+)? s/)
  assert.match(text, /– third {2}skipped/)
  const { out } = await place.run('run', '--force')
  assert.match(out, /^failed {3}second {2}\d+(\.\d+)? s$/m)
})

it('draws nothing over and over in a continuous integration, on a dumb terminal, with --quiet, and has no colour without', async (t) => {
  const place = project(t)
  for (const [env, args] of [
    [{ CI: 'true' }, []],
    [{ TERM: 'dumb' }, []],
    [{}, ['--quiet']],
  ] as const) {
    const shown = await onTerminal(place, env, '--force', ...args)
    assert.doesNotMatch(shown, MOVES)
    assert.match(shown, /finished/)
    assert.equal(/start/.test(shown), args.length === 0)
  }
  assert.doesNotMatch(await onTerminal(place, { NO_COLOR: '1' }, '--force'), /\x1b\[3\dm/)
})

it('--verbose says what stages write, as it comes', async (t) => {
  const { out } = await project(t).run('run', '--verbose')
  assert.match(out, /^first │ working$/m)
})

it('a failure shows the last lines of the log, its path, and the command that runs the stage alone', async (t) => {
  const place = project(t, 3)
  place.write('more.yaml', 'params: { text: three }\n')
  const { code, errors } = await place.run('run', '-p', 'more.yaml', '--set', "text='a b'", '--quiet')
  assert.equal(code, 1)
  assert.match(errors, /\[COMMAND_FAILED\]\n.*\n.*\n {2}│ about to fail\n {2}its log: \S+\/log\.txt\n/)
  const again = /to run it alone: npx pipeline (.*)/.exec(errors)?.[1] ?? ''
  assert.equal(again, `run second -p more.yaml --set 'text='\\''a b'\\''' --debug`)
  const { stdout } = await promisify(execFile)('sh', ['-c', `"${process.execPath}" "${BIN}" ${again} 2>&1; echo "code $?"`], { cwd: place.root }) // prettier-ignore
  assert.match(stdout, /second │ about to fail\n[^]*code 1\n$/)
})
