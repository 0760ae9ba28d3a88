import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Place, outcomes } from './command.ts'
import type { Line } from './command.ts'

/** Large, and without blocks on the disk. */
const PIPELINE = `version: 1
stages:
  large:
    matrix: { n: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] }
    cmd: [sh, -c, 'truncate -s 100M "$1"; echo "$0" >> "$1"', '\${matrix.n}', '\${out.file}']
    out: [file]
`

/** Bytes, at most so far; 0 where the process is ending. */
function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

it(
  'many large results that are read again take the memory of one',
  { skip: process.platform === 'linux' ? false : 'reads /proc' },
  async (t) => {
    const place = new Place(t)
    place.write('pipeline.yaml', PIPELINE)
    assert.equal((await place.run('run')).code, 0)
    // what is known of the files' states
    rmSync(join(place.root, 'node_modules'), { recursive: true })
    const { child, ended } = place.start(['run', '--json'])
    let peak = 0
    while (child.exitCode === null && child.signalCode === null) {
      peak = Math.max(peak, peakOf(child.pid!))
      await delay(5)
    }
    const last = JSON.parse((await ended).out.trimEnd().split('\n').at(-1)!) as Line
    assert.equal(outcomes(last).filter((outcome) => outcome.endsWith(': fresh')).length, 12)
    assert.ok(peak > 0 && peak < 400e6, `${peak / 1e6} MB`)
  },
)
