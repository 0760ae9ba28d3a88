import { stripVTControlCharacters } from 'node:util'
import { duration, size } from '../format.ts'
import { style } from '../style.ts'
import { sparkline } from './sparkline.ts'
import type { Work, Works } from './work.ts'

/** A part of a line; of those that do not fit, the one with the least weight goes first. */
interface Part {
  readonly text: string
  readonly weight: number
}

const BAR = 20
const MOST_BARS = 16
const SPIN = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'
const SPIN_MS = 100

export interface Space {
  readonly columns: number
  readonly rows: number
}

/** The block under a run's lines: a line for each stage at work, and one for those to come. */
export function blockLines(works: Works, now: number, { columns, rows }: Space): string[] {
  const running = [...works.running.values()]
  const most = Math.max(1, rows - 4)
  const shown = running.length > most ? running.slice(0, most - 1) : running
  const named = Math.max(...shown.map(({ stage }) => stage.length), 0)
  const lines = shown.map((work) => workLine(work, named, now, columns))
  const hidden = running.length - shown.length
  if (hidden > 0) lines.push(`  and ${hidden} more at work`)
  if (works.waiting.length > 0) lines.push(waitingLine(works.waiting, columns))
  return lines
}

function workLine(work: Work, named: number, now: number, columns: number): string {
  const spin = SPIN[Math.floor(now / SPIN_MS) % SPIN.length]!
  const seconds = (now - work.since) / 1000
  const { progress, losses, device, memory } = work
  const parts: Part[] = [
    { text: `${style('cyan', spin)} ${work.stage.padEnd(named)}`, weight: 9 },
    ...(progress === undefined ? [] : progressParts(work, now)),
    { text: `${whole(seconds)} so far`, weight: progress === undefined ? 8 : 1 },
    ...(progress?.loss === undefined
      ? []
      : [
          { text: `loss ${progress.loss.toFixed(3)}`, weight: 6 },
          { text: style('cyan', sparkline(losses, MOST_BARS)), weight: 4 },
        ]),
    ...(memory === undefined ? [] : [{ text: size(memory), weight: 2 }]),
    ...(device === undefined ? [] : [{ text: device, weight: 3 }]),
  ]
  return fit(parts, columns)
}

function progressParts({ progress, first }: Work, now: number): Part[] {
  const { done, total, unit } = progress!
  const share = total > 0 ? Math.min(1, done / total) : 0
  const full = Math.round(share * BAR)
  const seconds = (now - first!.at) / 1000
  const rate = done > first!.done && seconds > 0 ? (done - first!.done) / seconds : undefined
  const known: Part[] =
    rate === undefined
      ? []
      : [
          { text: `${short(rate)} ${unit}/s`, weight: 3.5 },
          ...(total > done ? [{ text: `${whole(Math.max(1, (total - done) / rate))} left`, weight: 5 }] : []),
        ]
  return [
    { text: `${style('green', '━'.repeat(full))}${'─'.repeat(BAR - full)}`, weight: 4.5 },
    { text: `${String(Math.floor(100 * share)).padStart(3)} %`, weight: 8 },
    { text: `${done}/${total} ${unit}`, weight: 2.5 },
    ...known,
  ]
}

/** What is drawn ten times a second shows no tenths. */
const whole = (seconds: number): string => (seconds < 60 ? `${Math.floor(seconds)} s` : duration(seconds))

/** Three digits. */
const short = (rate: number): string => (rate >= 100 ? String(Math.round(rate)) : rate.toPrecision(3))

function waitingLine(waiting: readonly string[], columns: number): string {
  const head = `  ${waiting.length} to come: `
  let text = waiting.join(', ')
  if (head.length + text.length >= columns) text = `${text.slice(0, Math.max(0, columns - head.length - 2))}…`
  return head + text
}

/** The parts in their order, two spaces apart, without those for which there is no room. */
function fit(parts: readonly Part[], columns: number): string {
  let kept = parts.filter(({ text }) => text !== '')
  while (kept.length > 1 && widthOf(kept) >= columns) {
    const least = kept.reduce((a, b) => (b.weight < a.weight ? b : a))
    kept = kept.filter((part) => part !== least)
  }
  return kept.map(({ text }) => text).join('  ')
}

const widthOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, { text }) => sum + stripVTControlCharacters(text).length + 2, -2)
