import { tokenOf } from './sbatch.ts'

/** A job as Slurm knows it. */
export interface Row {
  /** As scancel takes it: `123`, or `123_4` of an array. */
  readonly id: string
  /** Of the batch, and the number of the order in it. */
  readonly token: string
  readonly index: number
  readonly state: string
  readonly reason: string
  readonly node: string
}

/** Options of squeue: all of this user's jobs, those of the last minutes that have ended too, each of an array alone. */
export const SQUEUE = ['--me', '--noheader', '--array', '--states=all', '--format=%A|%F|%K|%T|%N|%r|%j']

/** Of ten thousand rows every few seconds, most are of one name: it is looked at once. */
export function parseQueue(out: string): Row[] {
  const tokens = new Map<string, string | undefined>()
  const rows: Row[] = []
  for (const line of out.split('\n')) {
    const name = line.slice(line.lastIndexOf('|') + 1)
    if (!tokens.has(name)) tokens.set(name, tokenOf(name))
    const token = tokens.get(name)
    if (token === undefined) continue
    const [job, array, index, state, node = '', ...reason] = line.split('|')
    if (reason.length < 2) continue
    const number = Number(index)
    const isArray = Number.isInteger(number)
    const id = isArray ? `${array!}_${index!}` : job!
    rows.push({ id, token, index: isArray ? number : 0, state: state!, node, reason: reason.slice(0, -1).join('|') })
  }
  return rows
}

/** How a job ended, as Slurm's accounts tell it. */
export interface Account {
  readonly state: string
  readonly node: string
  /** `exit code 3` or `signal 9`; undefined of one that ended well. */
  readonly exit?: string | undefined
}

/** An argument of a command is 128 KiB at most, and an id some ten characters. */
const MOST_IDS = 5000

/** Options of sacct, for as many commands as it takes. */
export function sacctOptions(ids: readonly string[]): string[][] {
  const format = ['--parsable2', '--noheader', '--allocations', '--format=JobID,State,NodeList,ExitCode']
  const parts = Array.from({ length: Math.ceil(ids.length / MOST_IDS) }, (_, part) =>
    ids.slice(part * MOST_IDS, (part + 1) * MOST_IDS),
  )
  return parts.map((part) => [...format, `--jobs=${part.join(',')}`])
}

/** The jobs that have ended, by their ids: `CANCELLED by 1000` is CANCELLED, `0:9` signal 9. */
export function parseSacct(out: string): ReadonlyMap<string, Account> {
  const rows = out.split('\n').flatMap((line) => {
    const [id, words = '', node = '', codes = ''] = line.split('|')
    const state = words.split(' ')[0]!
    // accounts may never hear of an end, and call it running for ever
    return hasEnded(state) ? [[id!, { state, node, exit: exitOf(codes) }] as const] : []
  })
  return new Map(rows)
}

function exitOf(codes: string): string | undefined {
  const [code = 0, signal = 0] = codes.split(':').map(Number)
  if (signal > 0) return `signal ${signal}`
  return code > 0 ? `exit code ${code}` : undefined
}

const ENDED: ReadonlySet<string> = new Set([
  ...['BOOT_FAIL', 'CANCELLED', 'COMPLETED', 'DEADLINE', 'FAILED', 'NODE_FAIL', 'OUT_OF_MEMORY', 'PREEMPTED'],
  ...['REVOKED', 'TIMEOUT'],
])

export const hasEnded = (state: string): boolean => ENDED.has(state)

export const mayRun = (state: string): boolean => state !== 'PENDING' && state !== 'CONFIGURING'

const USUAL_LARGEST = 1001

/** How many tasks an array may have, by `scontrol show config`: the highest index is one less than MaxArraySize. */
export function largestArray(config: string): number {
  const numbers = [/^MaxArraySize\s*=\s*(\d+)/m, /max_array_tasks=(\d+)/].map((part) => part.exec(config)?.[1])
  return Math.max(
    1,
    Math.min(...numbers.map((text, index) => Number(text ?? (index === 0 ? USUAL_LARGEST : Infinity)))),
  )
}

/** Jobs for one command: whole arrays by their own id, so that ten thousand tasks are one word. */
export function cancelIds(ids: readonly string[], wholeArrays: ReadonlySet<string>): string[] {
  const arrayOf = (id: string): string => id.split('_')[0]!
  return [...new Set(ids.map((id) => (wholeArrays.has(arrayOf(id)) ? arrayOf(id) : id)))]
}
