import assert from 'node:assert/strict'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { it } from 'node:test'
import { Random } from '../../lib/util/random.ts'
import type { Place } from '../e2e/command.ts'
import { makeProject } from '../e2e/project.ts'

const kills = 20

it(`a training killed ${kills} times, whenever, ends with the bytes of one that was left alone`, async (t) => {
  const place = makeProject(t)
  const files = ['artifacts/distill/student/model.safetensors', 'artifacts/distill/curves']
  const results = (): Buffer[] => files.map((file) => readFileSync(join(place.root, file)))
  assert.equal((await place.run('run', 'distill')).code, 0)
  const alone = results()
  const forget = (): void => rmSync(join(place.root, 'artifacts/store/distill'), { recursive: true })
  forget()

  const logs: string[] = []
  const check = (): void => {
    logs.push(place.read('artifacts/distill/log.txt'))
    assert.deepEqual(results(), alone)
  }
  const random = new Random(Date.now() % 2 ** 31, 'moments')
  const moments: number[] = []
  while (moments.length < kills) {
    const moment = 200 + random.below(6000)
    if (await killAfter(place, moment)) moments.push(moment)
    else {
      // a fast machine is done before the last kill: begin again
      check()
      forget()
    }
  }
  t.diagnostic(`killed after ${moments.join(', ')} ms`)
  const { code, errors } = await place.run('run', 'distill')
  assert.deepEqual([code, errors], [0, ''])
  check()
  assert.match(logs.join('\n'), /resumed after step [1-9]\d* of 690/)
})

/** Runs the training, and kills it so many milliseconds after its start; false where it had ended by then. */
async function killAfter(place: Place, moment: number): Promise<boolean> {
  const driver = place.spawn(['run', 'distill', '--json'])
  driver.stderr.resume()
  const ended = new Promise((resolve) => driver.on('close', resolve))
  for await (const line of createInterface({ input: driver.stdout })) {
    if (!line.includes('"stage-started"') || !line.includes('"distill"')) continue
    await Promise.race([delay(moment), ended])
    for (const pid of childrenOf(driver.pid!)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // it has just ended by itself
      }
    }
  }
  return (await ended) !== 0
}

/** The processes that a process started and that live. */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]) === parent
      } catch {
        return false // gone
      }
    })
}
