import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { AUDIT_VARIABLE, realPlace } from './access.ts'
import type { Access } from './access.ts'
import { boundsOf } from './bounds.ts'
import type { AuditedStage } from './bounds.ts'
import type { Event } from './event.ts'
import { findingsOf, notAudited } from './findings.ts'
import type { Finding } from './findings.ts'
import { auditHookBundle } from './host-bundle.ts'
import { readStrace, straceCommand, straceWorks } from './strace.ts'

export interface Audit {
  readonly env: Readonly<Record<string, string>>
  /** The command line that runs another one, `node host.mjs …`, and watches it. */
  readonly watched: (command: readonly string[]) => readonly string[]
  /** What the stage reached for and did not declare, once it has ended. */
  readonly end: () => Finding[]
}

/**
 * Watches what one run of a stage opens: a module by a hook in its own process, which knows variables, programs and
 * hosts by name; both kinds of stage by strace where it is there, which sees native code and other programs too.
 */
export async function beginAudit(audited: AuditedStage): Promise<Audit> {
  const { stage, work } = audited
  const isModule = stage.program.kind === 'module'
  const [hooked, traced] = [join(work.folder, 'hook.jsonl'), join(work.folder, 'strace.txt')]
  const canTrace = straceWorks()
  const end = (): Finding[] => {
    if (!isModule && !canTrace) return [notAudited(stage)]
    const seen = readHook(hooked)
    const traces = [seen, canTrace ? readTrace(traced, audited, seen) : []]
    return findingsOf(
      audited,
      traces.flatMap((trace) => trace.filter(beyond(audited))),
      canTrace,
    )
  }
  const tracer = canTrace ? straceCommand(traced) : []
  const hook = isModule ? ['--require', await auditHookBundle()] : []
  return {
    env: isModule ? { [AUDIT_VARIABLE]: hooked } : {},
    watched: ([node, ...args]) => [...tracer, node!, ...hook, ...args],
    end,
  }
}

/** Passes on events, of equal notices the first: a stage that is tried again finds what it found before. */
export function eachOnce(emit: (event: Event) => void): (event: Event) => void {
  const told = new Set<string>()
  return (event) => {
    const text = event.type === 'notice' ? `${event.code} ${event.message}` : undefined
    if (text === undefined || !told.has(text)) emit(event)
    if (text !== undefined) told.add(text)
  }
}

/** Each trace is judged by itself, in its order: what the stage made before it read it is its own. */
function beyond(audited: AuditedStage): (access: Access) => boolean {
  const covers = boundsOf(audited)
  return (access) => !covers(access)
}

function readHook(file: string): Access[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  // a process that was killed while it wrote leaves half a line
  return lines.flatMap((line) => (line.endsWith('}') ? (JSON.parse(line) as Access) : []))
}

/** Of a module, the hook knows what it reads from what Node reads to load it, and hosts by their names. */
function readTrace(file: string, { stage, work, prepared }: AuditedStage, seen: readonly Access[]): Access[] {
  if (!existsSync(file)) return []
  if (stage.program.kind === 'command') return readStrace(file, prepared.pipeline.root)
  const loads = ({ real }: Access): boolean =>
    basename(real) === 'package.json' && realPlace(work.folder).startsWith(dirname(real))
  const ports = new Set(seen.map(portOf))
  const isNamed = (access: Access): boolean => access.kind === 'connect' && ports.has(portOf(access))
  return readStrace(file, work.scratch).filter((access) => !isNamed(access) && !loads(access))
}

const portOf = ({ kind, name }: Access): string => (kind === 'connect' ? name.slice(name.lastIndexOf(':')) : '')
