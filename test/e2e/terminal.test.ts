import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { isAlive } from '../pipeline/drive.ts'
import { Place } from './command.ts'

const BIN = join(import.meta.dirname, '..', '..', 'lib', 'cli', 'bin.cjs')

/** Writes the pids of itself, a child and a grandchild, and then waits, for as long as it is let. */
const SLOW = `version: 1
stages:
  slow:
    cmd:
      - sh
      - -c
      - |
        trap 'echo saved > "$PIPELINE_CHECKPOINT/step"; echo asked > "$1/asked"; [ -e "$1/deaf" ] || exit 1' TERM
        sh -c 'sleep 600 & echo $$ $! > "$1/pids.new"; wait' sh "$1" &
        until [ -e "$1/pids.new" ]; do sleep 0.02; done
        echo $$ >> "$1/pids.new" && mv "$1/pids.new" "$1/pids"
        while :; do sleep 0.02; done
      - sh
      - PLACE
      - '\${out.o}'
    out: [o]
`

/** The ten seconds that a stage is given to stop are never over: what ends it then is the second Ctrl-C. */
const NO_GRACE_ENDS = `data:text/javascript,${encodeURIComponent(
  'const wait = setTimeout; globalThis.setTimeout = (act, ms, ...more) => wait(act, ms === 10_000 ? 2 ** 31 - 1 : ms, ...more)',
)}`

/** The command on a terminal of its own, which util-linux's \`script\` makes; what is written to it is typed. */
class Terminal {
  readonly place: Place
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  readonly ended: Promise<void>
  shown = ''

  constructor(context: TestContext, env: Readonly<Record<string, string>> = {}) {
    // before the folder goes
    context.after(() => {
      const all = [...this.pids(), ...this.pids('command')]
      for (const pid of all.filter(isAlive)) process.kill(pid, 'SIGKILL')
    })
    this.place = new Place(context)
    this.place.write('pipeline.yaml', SLOW.replace('PLACE', this.place.root))
    // it outlives what ends the command, to say how that ended and how it left the terminal
    const inner = `trap : HUP INT; echo $$ > command; stty -g > before; "${process.execPath}" "${BIN}" run; echo $? > code.new; stty -g > after; mv code.new code`
    // when a terminal is closed, the leader of its session ends, and with it the others are told
    const leader = `trap : INT; sh -c '${inner}'; :`
    this.child = spawn('script', ['-qec', leader, '/dev/null'], {
      cwd: this.place.root,
      env: { ...process.env, ...this.place.env, SHELL: '/bin/sh', TERM: 'xterm', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => (this.shown += text))
    this.ended = new Promise((resolve) => this.child.once('close', () => resolve()))
  }

  pids(file = 'pids'): number[] {
    return this.place.has(file) ? [...this.place.read(file).matchAll(/\d+/g)].map(Number) : []
  }

  async code(): Promise<number> {
    await this.place.until('code')
    return Number(this.place.read('code'))
  }

  isGone(): void {
    assert.equal(this.pids().length, 3)
    assert.deepEqual(this.pids().filter(isAlive), [])
    assert.ok(!this.place.has('artifacts/slow'))
  }

  /** As it was, with its cursor, and nothing left of colours. */
  isRestored(): void {
    assert.equal(this.place.read('after'), this.place.read('before'))
    assert.ok(this.shown.lastIndexOf('\x1b[?25l') <= this.shown.lastIndexOf('\x1b[?25h'), 'the cursor is shown')
    assert.ok(this.shown.lastIndexOf('\x1b[?1049h') <= this.shown.lastIndexOf('\x1b[?1049l'), 'the first screen is')
    const styles = [...this.shown.matchAll(/\x1b\[(\d*)m/g)].map(([, style]) => style)
    assert.match(styles.at(-1) ?? '0', /^(0|22|39)?$/)
  }
}

it('Ctrl-C on a terminal: a checkpoint, 130, nobody left, the terminal as it was', { timeout: 60_000 }, async (t) => {
  const terminal = new Terminal(t)
  await terminal.place.until('pids')
  terminal.child.stdin.write('\x03')
  assert.equal(await terminal.code(), 130)
  await terminal.ended
  assert.ok(terminal.place.has('asked'), 'the stage had its time')
  assert.match(terminal.shown, /stopping: stages write a checkpoint first/)
  terminal.isGone()
  terminal.isRestored()
})

it('Ctrl-C twice: no more time for a stage that does not stop', { timeout: 60_000 }, async (t) => {
  const terminal = new Terminal(t, { NODE_OPTIONS: `--import ${NO_GRACE_ENDS}` })
  terminal.place.write('deaf', '')
  await terminal.place.until('pids')
  terminal.child.stdin.write('\x03')
  await terminal.place.until('asked')
  terminal.child.stdin.write('\x03')
  assert.equal(await terminal.code(), 130)
  await terminal.ended
  assert.match(terminal.shown, /ending all stages at once/)
  terminal.isGone()
  terminal.isRestored()
})

it('a terminal that is closed: 129, nobody left', { timeout: 60_000 }, async (t) => {
  const terminal = new Terminal(t)
  await terminal.place.until('pids')
  terminal.child.kill('SIGKILL')
  assert.equal(await terminal.code(), 129)
  assert.ok(terminal.place.has('asked'))
  terminal.isGone()
})
