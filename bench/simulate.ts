import { parseArgs } from 'node:util'
import { simulate } from './simulate/simulation.ts'
import type { Simulated } from './simulate/simulation.ts'
import { taskTimes } from './simulate/times.ts'

/**
 * `npm run simulate -- --nodes 1000 --shards 1000000 [--seconds 60]`: what the driver costs and how near the run comes to
 * its bound, by the real plan and the real executor of Slurm over a simulated cluster, store and time. `--seconds` is the
 * mean that the recorded times are scaled to.
 */
const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1000' },
    shards: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
})
const [nodes, shards, seconds] = [values.nodes, values.shards, values.seconds].map(Number)
if (!isCount(nodes) || !isCount(shards) || !(seconds! > 0)) {
  console.error('usage: npm run simulate -- --nodes NUMBER --shards NUMBER [--seconds MEAN] [--json]')
  process.exitCode = 2
} else {
  const simulated = await simulate({ nodes, shards, duration: taskTimes(seconds! * 1000) })
  console.log(values.json ? JSON.stringify(simulated) : words(simulated))
}

function isCount(value: number | undefined): value is number {
  return Number.isSafeInteger(value) && value! > 0
}

function words({ makespan, bound, parts, submitted, driver, scheduler, store }: Simulated): string {
  const counts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([name, count]) => `${name} ${count.toLocaleString('en')}`)
      .join(', ')
  return [
    `makespan            ${makespan.toFixed(0)} s; bound ${bound.toFixed(0)} s; ${(makespan / bound).toFixed(3)} of it`,
    `driver, CPU         ${driver.cpu.toFixed(1)} s, ${((1000 * driver.cpu) / parts).toFixed(2)} ms a task`,
    `driver, memory      ${(driver.peakBytes / 2 ** 20).toFixed(0)} MiB at most, the simulated cluster's among it`,
    `first hand-in       ${submitted.tasks.toLocaleString('en')} tasks planned and handed in after ${submitted.cpu.toFixed(1)} s of CPU`,
    `asked of Slurm      ${counts(scheduler)}`,
    `asked of the store  ${counts(store)}`,
  ].join('\n')
}
