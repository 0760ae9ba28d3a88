import { existsSync, rmSync } from 'node:fs'
import { packageRoot } from '../lib/util/package-root.ts'
import { startPipeline } from './command.ts'
import type { Ran } from './command.ts'
import { copyProject } from './copy.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { watchMemory } from './memory.ts'

const again = 7
const change = ['--set', 'distill.temperature=4']
/** All that a new temperature may run. */
const expected = ['distill', 'evaluate[student]', 'agreement[student]', 'report']

export const embeddedDefault: Bench = {
  about: 'the embedded default: cold, again, and after one change',
  run: async () => {
    warnOfLoad()
    const copy = copyProject(packageRoot())
    try {
      const [cold, ...memory] = await runCold(copy)
      return [cold, ...memory, await runAgain(copy), ...(await runChanged(copy, cold.ours))]
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  },
}

async function runCold(copy: string): Promise<readonly [Figure, ...Figure[]]> {
  const { pid, ended } = startPipeline(copy)
  const peak = existsSync('/proc/self/status') ? watchMemory(pid) : undefined
  const ran = await ended.finally(() => peak?.())
  const time = figure({ what: 'a cold run', unit: 's', ours: ran.seconds, reach: { max: 120 } })
  if (peak === undefined) return [time]
  const what = 'peak resident memory of a cold run, summed over its processes, sampled from /proc'
  return [time, figure({ what, unit: 'GiB', ours: peak() / 2 ** 30, reach: { max: 2 } })]
}

async function runAgain(copy: string): Promise<Figure> {
  const seconds: number[] = []
  for (let i = 0; i < again; i++) {
    const ran = await startPipeline(copy).ended
    if (ranIn(ran).length > 0) throw new Error(`a run with nothing to do ran ${ranIn(ran).join(', ')}`)
    seconds.push(ran.seconds)
  }
  return figure({ what: 'the same run again', unit: 's', ours: seconds, reach: { max: 0.5 } })
}

async function runChanged(copy: string, cold: number): Promise<readonly Figure[]> {
  const ran = await startPipeline(copy, change).ended
  const names = ranIn(ran)
  // fewer may run: a student that comes out as it went in is not scored again
  const off = names.filter((name) => !expected.includes(name))
  const after = `after \`${change.join(' ')}\``
  return [
    figure({
      ...{ what: `${after}, which ran ${names.join(', ')}`, unit: 's', ours: ran.seconds },
      ...{ peer: cold, peerName: 'the cold run', reach: { max: 1 } },
    }),
    figure({
      what: `stages ${after} that ran and need not have`,
      ...{ unit: 'stages', ours: off.length, reach: { max: 0 } },
    }),
  ]
}

const ranIn = ({ stages }: Ran): readonly string[] =>
  stages.filter(({ outcome }) => outcome === 'ran').map(({ name }) => name)
