import type { Place } from '../util/failure.ts'

/** A text that a user wrote, with where its lines start: a YAML file, or the argument of `--set`. */
export interface Source {
  /** What messages call it: a path relative to the folder of pipeline.yaml, or `--set`. */
  readonly name: string
  readonly text: string
  readonly lines: Lines
}

/** What the YAML library counts lines with, here without the library, which a plain file needs nothing else of. */
export class Lines {
  readonly lineStarts: number[] = []

  /** Called in ascending order. */
  readonly addNewLine = (offset: number): number => this.lineStarts.push(offset)

  /** Counted from 1; line 0 before the first line start. */
  readonly linePos = (offset: number): { line: number; col: number } => {
    let [low, high] = [0, this.lineStarts.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.lineStarts[middle]! <= offset) low = middle + 1
      else high = middle
    }
    return { line: low, col: offset - (this.lineStarts[low - 1] ?? -1) + 1 }
  }
}

/** A position in a source; made into a `Place` only where a message or a record needs one. */
export interface Spot {
  readonly source: Source
  readonly offset: number
}

export const makeSource = (name: string, text: string): Source => ({ name, text, lines: new Lines() })

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
