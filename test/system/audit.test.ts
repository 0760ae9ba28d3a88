import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Place, outcomes } from '../e2e/command.ts'
import { makeProject } from '../e2e/project.ts'
import { isAlive } from '../pipeline/drive.ts'
import { programOf } from './debian.ts'

before(() => void programOf('strace'))

/** Notices of an audit of the whole pipeline, without what to do. */
async function audit(place: Place) {
  const { code, lines, last } = await place.lines('--audit')
  const found = lines.flatMap(({ type, code: kind, message }) =>
    type === 'notice'
      ? [
          `${String(kind)} ${String(message)
            .replace(/\. .*/s, '')
            .replace(/artifacts\S*\/files\//, '')}`,
        ]
      : [],
  )
  return { code, last, found: found.toSorted() }
}

const program = (script: string, more = 'in: { text: input.txt }'): string =>
  `s: { cmd: [sh, -c, ${JSON.stringify(script)}, sh, '\${in.text}', '\${out.text}'], ${more}, out: [text] }`

function makePlace(context: Parameters<typeof makeProject>[0], ...stages: string[]): Place {
  const place = new Place(context)
  for (const name of ['input.txt', 'secret.txt', 'data/target.txt', 'old.txt']) place.write(name, name)
  symlinkSync('data/target.txt', join(place.root, 'link'))
  place.write('pipeline.yaml', `version: 1\nstages:\n${stages.map((line) => `  ${line}\n`).join('')}`)
  return place
}

function killIfThere(pid: number): void {
  if (isAlive(pid)) process.kill(pid, 'SIGKILL')
}

const scripts: Readonly<Record<string, readonly [script: string, ...found: string[]]>> = {
  'a clean program': ['cat "$1" > "$2"; sort "$2" | tr a b > t; cat t; rm t; [ -e /etc/hostname ]; date; echo $HOME'],
  'a file read by a program of the shell': ['cat secret.txt > "$2"', 'UNDECLARED_READ "s" reads "secret.txt"'],
  'a file that the shell opens itself': [
    'read line < secret.txt; echo "$line" > "$2"',
    'UNDECLARED_READ "s" reads "secret.txt"',
  ],
  'a file read by a grandchild in another folder': [
    `echo > "$2"; sh -c 'cd data && sh -c "cat target.txt; true"'`,
    'UNDECLARED_READ "s" reads "data/target.txt"',
  ],
  'a file read in the background of a process that ends first': [
    'echo > "$2"; (cat secret.txt) & wait',
    'UNDECLARED_READ "s" reads "secret.txt"',
  ],
  'a file behind a link': ['cat link > "$2"', 'UNDECLARED_READ "s" reads "link" (a link to "data/target.txt")'],
  'a link of its own to a file outside': [
    'ln -s "$PWD/secret.txt" "$PIPELINE_CHECKPOINT/own"; cat "$PIPELINE_CHECKPOINT/own" > "$2"',
    'UNDECLARED_READ "s" reads "own" (a link to "secret.txt")',
  ],
  'a script': [
    'printf "#!/bin/sh\\necho x" > "$PIPELINE_CHECKPOINT/own.sh"; sh "$PIPELINE_CHECKPOINT/own.sh" > "$2"; sh ./data/target.txt || true',
    'UNDECLARED_READ "s" reads "data/target.txt"',
  ],
  'a file that is looked for': [
    '[ -e maybe.txt ] || echo > "$2"',
    'UNDECLARED_READ "s" looks whether "maybe.txt" is there',
  ],
  'a name with quotes, spaces and letters': [
    `printf x > '"é\\ x'; cat '"é\\ x' > "$2"`,
    `UNDECLARED_WRITE "s" writes ""é\\ x"`,
  ],
  'writes, moves and removals': [
    'echo > "$2"; echo > left.txt; rm old.txt; mv secret.txt moved.txt; mkdir made; echo > made/x; echo > gone; rm gone',
    'UNDECLARED_WRITE "s" removes "old.txt"',
    'UNDECLARED_WRITE "s" removes "secret.txt"',
    'UNDECLARED_WRITE "s" writes "left.txt"',
    'UNDECLARED_WRITE "s" writes "moved.txt"',
    'UNDECLARED_WRITE "s" writes the folder "made"',
  ],
}

for (const [what, [script, ...found]] of Object.entries(scripts)) {
  it(`names, of a program: ${what}`, async (t) => {
    const audited = await audit(makePlace(t, program(script)))
    assert.deepEqual(audited.found, found)
    assert.deepEqual(outcomes(audited.last), ['s: ran'])
    assert.equal(audited.code, found.length > 0 ? 1 : 0)
  })
}

it('sees what a program started by a module reads, and a program that asks the network', async (t) => {
  const server = createServer((_, answer) => answer.end('x')).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const ask = `${JSON.stringify(process.execPath)}, -e, "fetch('http://127.0.0.1:${port}').then(() => require('fs').writeFileSync(process.argv[1], ''))"`
  const place = makePlace(
    t,
    'm: { run: m.ts, in: {}, out: [text] }',
    `p: { cmd: [${ask}, '\${out.text}'], out: [text] }`,
  )
  place.write(
    'm.ts',
    `import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
export default { params: { type: 'object' }, in: [], out: ['text'], async run({ out }) {
  writeFileSync(out.text, spawnSync('sh', ['-c', 'cat ${place.root}/secret.txt']).stdout)
} }`,
  )
  const { found } = await audit(place)
  assert.deepEqual(found, [
    `UNDECLARED_HOST "p" asks 127.0.0.1:${port} over the network`,
    'UNDECLARED_PROGRAM "m" runs "sh"',
    'UNDECLARED_READ "m" reads "secret.txt"',
  ])
})

it('a traced stage is stopped like any other: nothing of it is left', async (t) => {
  const place = makePlace(t, program('echo $$ > pid; sleep 600'))
  const { child, ended } = place.start(['run', '--audit'])
  await place.until('pid')
  while (place.read('pid') === '') await new Promise((resolve) => setImmediate(resolve))
  child.kill('SIGINT')
  assert.equal((await ended).code, 130)
  assert.throws(() => process.kill(Number(place.read('pid')), 0), /ESRCH/)
})

it('a traced stage whose driver is killed with -9 ends too', { timeout: 60_000 }, async (t) => {
  const place = makePlace(t, 'm: { run: m.ts, out: [text] }')
  place.write(
    'm.ts',
    `import { writeFileSync } from 'node:fs'
export default { params: { type: 'object' }, in: [], out: ['text'], async run() {
  writeFileSync('${place.root}/pid', String(process.pid)); for (;;) ;
} }`,
  )
  const { child, ended } = place.start(['run', '--audit'])
  await place.until('pid')
  while (place.read('pid') === '') await new Promise((resolve) => setImmediate(resolve))
  child.kill('SIGKILL')
  const pid = Number(place.read('pid'))
  t.after(() => killIfThere(pid))
  while (isAlive(pid)) await delay(20, undefined, { signal: t.signal })
  await ended
})

it('the stages of the embedded default read what they declare and nothing else', { timeout: 600_000 }, async (t) => {
  const { code, found, last } = await audit(makeProject(t))
  assert.deepEqual([code, found], [0, []])
  assert.ok(outcomes(last).every((line) => line.endsWith(': ran')))
})
