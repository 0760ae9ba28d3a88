import type { Failure, Place } from '../util/failure.ts'
import { style } from './style.ts'
import { widthOf, wrap } from './wrap.ts'

const WIDTH = 110
/** What stands around a line that is shown. */
const MARGIN = '   | '.length

/**
 * A failure for people:
 *
 *     error: pipeline.yaml:14:5: "timout" is not a key of a stage. Did you mean "timeout"? …  [KEY_UNKNOWN]
 *       14 |     timout: 3
 *          |     ^
 */
export function wordFailure(failure: Failure, label: 'error' | 'warning' = 'error', subject = ''): string {
  const { place, code, message } = failure
  const head = style(label === 'error' ? 'red' : 'yellow', `${label}:`, process.stderr)
  const at = place ? `${style('bold', placeName(place), process.stderr)}: ` : ''
  const lines = place?.text === undefined ? [] : wordLine(place, place.text)
  const text = wrap(`${head} ${at}${subject}${message} [${code}]`, widthOf(process.stderr), '  ')
  return [...text, ...lines].join('\n')
}

/** `pipeline.yaml:14:9`; what stands in an argument has no line. */
export const placeName = ({ file, line, column }: Place): string =>
  file.startsWith('--') ? file : `${file}:${line}:${column}`

/** The line with a caret under the column; of a long line, the part around it. */
function wordLine({ line, column }: Place, text: string): string[] {
  const width = Math.min(WIDTH, widthOf(process.stderr) - String(line).length - MARGIN)
  const start = Math.max(0, Math.min(column - 1 - Math.floor(width / 2), text.length - width))
  const shown = text.slice(start, start + width).replaceAll('\t', ' ')
  const number = String(line)
  const caret = ' '.repeat(Math.max(0, column - 1 - start))
  return [`  ${number} | ${shown}`, `  ${' '.repeat(number.length)} | ${caret}${style('red', '^', process.stderr)}`]
}
