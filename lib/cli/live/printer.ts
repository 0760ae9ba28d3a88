import { createLogUpdate } from 'log-update'
import { keepBelow } from '../output.ts'
import { linePrinter } from '../printer.ts'
import type { Manner, Printer } from '../printer.ts'
import { blockLines } from './lines.ts'
import { Works } from './work.ts'

const DRAW_MS = 100
const LAST: ReadonlySet<string> = new Set(['finished', 'reproduced', 'repeated'])

/**
 * For a terminal: what has happened stands in lines, as without one, and under them a block shows who is at work, from the
 * start of a run to its end.
 */
export function livePrinter(manner: Manner, stream: NodeJS.WriteStream = process.stdout): Printer {
  const works = new Works()
  const words = linePrinter({ ...manner, live: true })
  // its cursor stays: who is killed leaves the terminal as it was
  const block = createLogUpdate(stream, { showCursor: true })
  const draw = (): void => {
    const lines = blockLines(works, performance.now(), { columns: stream.columns, rows: stream.rows })
    if (lines.length > 0) block(lines.join('\n'))
    else block.clear()
  }
  let end: (() => void) | undefined
  const begin = (): (() => void) => {
    const release = keepBelow(() => block.clear())
    const timer = setInterval(draw, DRAW_MS)
    return () => {
      clearInterval(timer)
      block.clear()
      block.done()
      release()
    }
  }
  return (event) => {
    if (event.type === 'started') end ??= begin()
    works.hear(event, performance.now())
    if (LAST.has(event.type)) {
      end?.()
      end = undefined
    }
    words(event)
  }
}
