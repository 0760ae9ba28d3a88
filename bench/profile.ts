import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { median } from './figures.ts'
import type { Account } from './figures.ts'

/** The events of ONNX Runtime's profiler that say how long something took; `dur` is in microseconds. */
interface Event {
  readonly cat: string
  readonly name: string
  readonly dur: number
  readonly args?: { readonly op_name?: string }
}

/**
 * Has ONNX Runtime's profiler watch the sessions that are opened from now on. The function given back ends that, and
 * gives the milliseconds of each kind of node in a run, the median over the runs.
 */
export function profileSessions(): () => Account {
  const folder = mkdtempSync(join(tmpdir(), 'profile-'))
  const create = InferenceSession.create.bind(InferenceSession) as (...given: unknown[]) => Promise<InferenceSession>
  const sessions: InferenceSession[] = []
  const watched = async (model: unknown, options: object): Promise<InferenceSession> => {
    const profiler = { enableProfiling: true, profileFilePrefix: join(folder, 'session') }
    const session = await create(model, { ...options, ...profiler })
    sessions.push(session)
    return session
  }
  Object.assign(InferenceSession, { create: watched })
  return () => {
    for (const session of sessions) session.endProfiling() // writes the file
    const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
    rmSync(folder, { recursive: true })
    return accountOf(texts.flatMap((text) => JSON.parse(text) as Event[]))
  }
}

/** A run's nodes come before the event of the run itself. */
function accountOf(events: readonly Event[]): Account {
  const runs: Map<string, number>[] = []
  let nodes = new Map<string, number>()
  for (const { cat, name, dur, args } of events) {
    if (cat === 'Node' && args?.op_name !== undefined) {
      nodes.set(args.op_name, (nodes.get(args.op_name) ?? 0) + dur / 1000)
    } else if (name === 'model_run') {
      runs.push(nodes)
      nodes = new Map()
    }
  }
  const names = new Set(runs.flatMap((run) => [...run.keys()]))
  return Object.fromEntries([...names].map((op) => [op, median(runs.map((run) => run.get(op) ?? 0))]))
}
