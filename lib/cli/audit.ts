import type { Event } from '../pipeline/event.ts'

const FINDING = /^(UNDECLARED_\w+|NOT_AUDITED)$/

/** Counts what an audit finds. */
export function watchAudit() {
  const stages = new Map<string, number>()
  const hear = (event: Event): void => {
    if (event.type !== 'notice' || event.stage === null || !FINDING.test(event.code)) return
    stages.set(event.stage, (stages.get(event.stage) ?? 0) + 1)
  }
  const summary = (): string => {
    const found = [...stages].map(([stage, count]) => `${stage} ${count}`).join(', ')
    return found === '' ? 'audit: nothing undeclared' : `audit: not declared: ${found}`
  }
  return { hear, summary, found: () => stages.size > 0 }
}
