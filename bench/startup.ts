import { spawnSync } from 'node:child_process'
import { packageRoot } from '../lib/util/package-root.ts'
import { binOf } from './command.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'

const turns = 25

export const startup: Bench = {
  about: 'the time that the command takes to start',
  run: () => {
    warnOfLoad()
    return Promise.resolve(measure())
  },
}

function measure(): readonly Figure[] {
  const [bin, bare] = [
    [binOf(packageRoot()), '--version'],
    ['-e', '0'],
  ]
  // the first start may make the bundle, the next reads it from disk
  for (let i = 0; i < 3; i++) for (const args of [bin, bare]) start(args)
  const times = { ours: [] as number[], peer: [] as number[] }
  for (let turn = 0; turn < turns; turn++) {
    times.ours.push(start(bin))
    times.peer.push(start(bare))
  }
  const { ours, peer } = times
  return [
    figure({ what: '`--version` from the bin file', unit: 's', ours, reach: { max: 0.15 } }),
    figure({
      ...{ what: '`--version` from the bin file, beside Node alone', unit: 's', ours, peer },
      ...{ peerName: '`node -e 0`', reach: { max: 2 } },
    }),
  ]
}

/** Seconds from start to exit. */
function start(args: readonly string[]): number {
  const started = performance.now()
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`"node ${args.join(' ')}" ended with exit code ${status ?? 'none'}`)
  return (performance.now() - started) / 1000
}
