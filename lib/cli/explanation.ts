import type { Explanation, Since, Step } from '../pipeline/explain.ts'
import { gib } from '../util/gib.ts'
import type { JsonObject } from '../util/json.ts'
import { duration, short, table } from './format.ts'
import { BELOW_STATE, estimateWords, stateWord } from './plan.ts'
import { shardLines } from './shards.ts'
import { style } from './style.ts'
import { placeName } from './words.ts'
import { widthOf, wrap } from './wrap.ts'

/** An explanation for people: the state, what changed from the first cause on, the earlier result, the time. */
export function explanationLines({ stage, state, reason, steps, estimate, shards }: Explanation): string {
  const changed = steps.some(({ changes }) => changes.length > 0)
  const since = steps.at(-1)!.since
  const runs = state === 'run' || state === 'may-run'
  return [
    ...wrap(`${stateWord(state)} ${stage}  ${reason}`, widthOf(process.stdout), BELOW_STATE),
    ...(changed
      ? section('What changed, first causes first', table(steps.flatMap(stepRows), widthOf(process.stdout)))
      : []),
    ...(since === null ? [] : section(changed ? 'The nearest earlier result' : 'The result', sinceTable(since))),
    ...(shards ? section('Shards', shardLines(shards).join('\n')) : []),
    ...(runs && estimate !== null ? section('Time', estimateWords(estimate)) : []),
  ].join('\n')
}

const section = (title: string, text: string): string[] => ['', style('bold', title), text]

function stepRows({ stage, reason, changes, since }: Step): string[][] {
  // a stage that is compared with nothing, and one of which nothing else is known
  if (since === null) return [[stage, '', 'the result that was read then is not in the store any more']]
  if (changes.length === 0) return [[stage, '', reason]]
  return changes.map(({ place, field, from, to }) => [stage, place ? placeName(place) : '', field, `${from} → ${to}`])
}

function sinceTable({ stage, key, ran }: Since): string {
  return table(
    [
      ['key', key.slice(0, 16)],
      ['made', `${ran.at.slice(0, 16).replace('T', ' ')} by ${stage}`],
      ['took', duration(ran.seconds)],
      ['engine', ran.engine],
      ['device', ran.device ?? 'not said'],
      ['machine', machineWords(ran.machine)],
    ],
    widthOf(process.stdout),
  )
}

const machineWords = (machine: JsonObject): string =>
  Object.entries(machine)
    .map(([name, value]) => {
      if (name === 'memory' && typeof value === 'number') return gib(value)
      if (name === 'cores') return `${short(value)} cores`
      return typeof value === 'string' ? value : `${name} ${short(value)}`
    })
    .join(', ')
