import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { mkdirSync, symlinkSync } from 'node:fs'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { Place } from '../e2e/command.ts'
import { programOf } from './debian.ts'

const BIN = join(import.meta.dirname, '..', '..', 'lib', 'cli', 'bin.cjs')

async function makePlace(t: TestContext, shell: string): Promise<Place> {
  const place = new Place(t)
  place.write('pipeline.yaml', 'version: 1\nparams: { word: a }\nstages:\n  say: { cmd: [echo, "${word}"] }\n')
  mkdirSync(join(place.root, 'node_modules/.bin'), { recursive: true })
  symlinkSync(BIN, join(place.root, 'node_modules/.bin/pipeline'))
  place.write('script', (await place.run('completion', shell)).out)
  return place
}

it('completes in fish', async (t) => {
  const place = await makePlace(t, 'fish')
  const fish = programOf('fish')
  for (const [line, expected] of [
    ['pipeline sh', ['show']],
    ['pipeline run sa', ['say']],
    ['pipeline set ', ['word=']],
    ['pipeline run -p scr', ['script']],
    ['npx pipeline sh', ['show']],
    ['npx pipeline run sa', ['say']],
  ] as const) {
    const { stdout } = await promisify(execFile)(fish, ['--no-config', '-c', `source script; complete -C '${line}'`], {
      cwd: place.root,
      env: { ...process.env, HOME: place.root },
    })
    assert.deepEqual(stdout.trimEnd().split('\n'), expected, line)
  }
})

/** A terminal in which the tab is pressed, and what stands on the line then. */
const ZSH = (line: string): string => `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -Uz compinit && compinit -u -D; source script; tell() { print -r -- "$BUFFER|" > part; mv -f part line }; zle -N tell; bindkey "^T" tell; bindkey "^I" complete-word; print > ready'
while [[ ! -e ready ]]; do sleep 0.1; done
zpty -w -n shell $'${line}\\t'
for i in {1..100}; do sleep 0.1; zpty -w -n shell $'\\C-t'; [[ -s line && $(<line) != ${JSON.stringify(`${line}|`)} ]] && break; done
cat line
zpty -d shell`

it('completes in zsh', async (t) => {
  const place = await makePlace(t, 'zsh')
  const zsh = programOf('zsh')
  for (const [line, expected] of [
    ['pipeline sh', 'pipeline show |'],
    ['pipeline run sa', 'pipeline run say |'],
    ['pipeline set w', 'pipeline set word=|'],
    ['npx pipeline sh', 'npx pipeline show |'],
    ['npx pipeline run sa', 'npx pipeline run say |'],
  ] as const) {
    const { stdout } = await promisify(execFile)(zsh, ['-f', '-c', `rm -f line ready; ${ZSH(line)}`], {
      cwd: place.root,
    })
    assert.equal(stdout.trimEnd(), expected)
  }
})
