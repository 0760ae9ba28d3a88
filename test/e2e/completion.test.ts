import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { Place } from './command.ts'

const BIN = join(import.meta.dirname, '..', '..', 'lib', 'cli', 'bin.cjs')

const PIPELINE = `version: 1
params: { word: a, deep: { times: [2, 3] } }
stages:
  say: { cmd: [sh, -c, 'echo "$1" > "$2"', sh, '\${word}', '\${out.o}'], out: [o] }
  each:
    matrix: { times: '\${deep.times}' }
    cmd: [sh, -c, 'echo "$1" > "$2"', sh, '\${matrix.times}', '\${out.o}']
    out: [o]
`

it('completes in bash: commands, options, choices, stages, cells, parameters, experiments, else files', async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', PIPELINE)
  place.write('more.yaml', 'params: { deep: { times: [4] } }\n')
  place.write('each2', 'a file that "each[2]" names as a pattern')
  symlinkSync(BIN, join(place.root, 'pipeline'))
  place.write('completion.sh', (await place.run('completion', 'bash')).out)
  const { last } = await place.lines()
  const replies = async (...words: string[]): Promise<string[]> => {
    const quoted = ['./pipeline', ...words].map((word) => `'${word}'`).join(' ')
    const script = `source completion.sh; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _pipeline; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: place.root })
    return stdout.trimEnd().split('\n')
  }
  const cases: [string[], string[]][] = [
    [['sh'], ['show']],
    [['re'], ['report', 'reproduce']],
    [
      ['help', 'st'],
      ['stage', 'status'],
    ],
    [['--'], ['--version', '--help']],
    [['run', '--dr'], ['--dry-run']],
    [
      ['run', ''],
      ['say', 'each', 'each[2]', 'each[3]'],
    ],
    [
      ['run', 'say', 'each'],
      ['each', 'each[2]', 'each[3]'],
    ],
    [
      ['run', '-p', 'more.yaml', 'each'],
      ['each', 'each[4]'],
    ],
    [['explain', '--set', 'd'], ['deep.times=']],
    [
      ['set', ''],
      ['word=', 'deep.times='],
    ],
    [
      ['push', ''],
      ['say', 'each', 'each[2]', 'each[3]', String(last.experiment).slice(0, 16)],
    ],
    [['show', ''], [String(last.experiment).slice(0, 16)]],
    [['log', '--to', 't'], ['tensorboard']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['run', '-p', 'mo'], ['']],
    [['nothing', ''], ['']],
  ]
  for (const [words, expected] of cases) assert.deepEqual(await replies(...words), expected, words.join(' '))
  // of npx what comes after `pipeline`, and what it had before for all else
  mkdirSync(join(place.root, 'node_modules/.bin'), { recursive: true })
  symlinkSync(BIN, join(place.root, 'node_modules/.bin/pipeline'))
  const ofNpx = async (before: string, ...words: string[]): Promise<string> => {
    const quoted = ['npx', ...words].map((word) => `'${word}'`).join(' ')
    const script = `${before}; source completion.sh; source completion.sh; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; COMPREPLY=(); $(complete -p npx | sed 's/.*-F //; s/ .*//'); echo "\${COMPREPLY[*]}"`
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: place.root })
    return stdout.trimEnd()
  }
  assert.equal(await ofNpx(':', 'pipeline', 'run', 'sa'), 'say')
  assert.equal(await ofNpx(':', 'pipe'), '')
  const other = 'other() { COMPREPLY=(theirs); }; complete -F other npx'
  assert.equal(await ofNpx(other, 'pipeline', 'sh'), 'show')
  assert.equal(await ofNpx(other, 'tsc', ''), 'theirs')
  place.write('pipeline.yaml', 'version: [')
  assert.deepEqual(await replies('run', ''), [''])
  const unknown = await place.run('completion', 'csh')
  assert.deepEqual([unknown.code, /bash, zsh, fish/.test(unknown.errors)], [2, true])
})
