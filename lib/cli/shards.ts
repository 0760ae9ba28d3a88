import type { ShardsPlan } from '../pipeline/shards/preview.ts'

/** Of more parts the first ones are named. */
const MOST = 8

/** How many parts there are, what is there of them, and the first of those that will be made. */
export function shardLines({ asked, unit, units, shards }: ShardsPlan): string[] {
  if (units === null) return [`${asked} shards, cut by ${unit} when what it reads is there`]
  const runs = shards.filter(({ state }) => state === 'run')
  const there = shards.length - runs.length
  const rest = runs.length - MOST
  return [
    `${shards.length} ${shards.length === 1 ? 'shard' : 'shards'} of ${units} ${unit}: ${there} there, ${runs.length} to run`,
    ...runs.slice(0, MOST).map(({ name, from, to }) => `  ${name}  ${unit} ${from + 1} to ${to}`),
    ...(rest > 0 ? [`  … ${rest} more`] : []),
  ]
}
