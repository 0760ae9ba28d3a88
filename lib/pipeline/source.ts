import { LineCounter } from 'yaml'
import type { Place } from '../util/failure.ts'

/** A text that a user wrote, with where its lines start: a YAML file, or the argument of `--set`. */
export interface Source {
  /** What messages call it: a path relative to the folder of pipeline.yaml, or `--set`. */
  readonly name: string
  readonly text: string
  readonly lines: LineCounter
}

/** A position in a source; made into a `Place` only where a message or a record needs one. */
export interface Spot {
  readonly source: Source
  readonly offset: number
}

export const makeSource = (name: string, text: string): Source => ({ name, text, lines: new LineCounter() })

export function placeOf({ source, offset }: Spot): Place {
  const at = source.lines.linePos(offset)
  // an empty file has no line start
  const [line, column] = at.line === 0 ? [1, 1] : [at.line, at.col]
  return { file: source.name, line, column, text: lineText(source, line) }
}

/** For the end of a sentence: `pipeline.yaml:14:9`. */
export function placeName(spot: Spot): string {
  const { file, line, column } = placeOf(spot)
  return `${file}:${line}:${column}`
}

function lineText(source: Source, line: number): string {
  const start = source.lines.lineStarts[line - 1] ?? 0
  const end = source.text.indexOf('\n', start)
  return source.text.slice(start, end === -1 ? undefined : end).replace(/\r$/, '')
}
