import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Place } from '../e2e/command.ts'
import { programOf } from './debian.ts'

const BIN = join(import.meta.dirname, '..', '..', 'lib', 'cli', 'bin.cjs')
const tmux = programOf('tmux')

let opened = 0

/** A terminal of so many columns in the folder of a place, where `npx pipeline` is this one. */
export class Screen {
  readonly #session = `pipeline-${process.pid}-${opened++}`
  readonly columns: number
  readonly #place: Place

  constructor(t: TestContext, place: Place, columns: number) {
    this.columns = columns
    this.#place = place
    mkdirSync(join(place.root, 'node_modules/.bin'), { recursive: true })
    if (!place.has('node_modules/.bin/pipeline')) symlinkSync(BIN, join(place.root, 'node_modules/.bin/pipeline'))
    const size = ['-x', String(columns), '-y', '60']
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-s', 'main', ...size, '-c', place.root, 'sleep 600')
    t.after(() => this.#tmux('kill-server'))
  }

  #tmux(...args: readonly string[]): string {
    return execFileSync(tmux, ['-L', this.#session, ...args], { encoding: 'utf8' })
  }

  /** Starts a command in the terminal, which is empty then. */
  start(command: string): void {
    rmSync(join(this.#place.root, 'code'), { force: true })
    // npm's word of a newer npm, in its own colours, is not ours to check
    const shell = `unset CI NO_COLOR; export npm_config_update_notifier=false; ${command}; echo $? > code.new; mv code.new code; sleep 600`
    this.#tmux('clear-history', '-t', 'main')
    this.#tmux('respawn-pane', '-k', '-t', 'main', shell)
  }

  /** Waits until what was started has ended, and gives its exit code. */
  async ended(): Promise<number> {
    await this.#place.until('code')
    return Number(this.#place.read('code'))
  }

  /** The lines from the first on; with `-J` those that the terminal wrapped are one, with `-e` colours are there. */
  lines(...options: readonly string[]): string[] {
    return this.#tmux('capture-pane', '-p', '-S', '-', ...options, '-t', 'main')
      .trimEnd()
      .split('\n')
  }

  async until(holds: (text: string) => boolean): Promise<void> {
    while (!holds(this.lines().join('\n'))) await delay(50)
  }
}
