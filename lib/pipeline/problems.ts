import { Failure } from '../util/failure.ts'
import { placeOf } from './source.ts'
import type { Spot } from './source.ts'

/** Every way in which a configuration can be wrong. */
export type ConfigCode =
  | 'FILE_MISSING'
  | 'FILE_UNREADABLE'
  | 'YAML_SYNTAX'
  | 'YAML_TOO_LARGE'
  | 'KEY_DUPLICATE'
  | 'KEY_INVALID'
  | 'KEY_UNKNOWN'
  | 'KEY_MISSING'
  | 'NUMBER_INEXACT'
  | 'VALUE_INVALID'
  | 'SET_INVALID'
  | 'PARAM_UNKNOWN'
  | 'PARAM_CYCLE'
  | 'PARAM_RESERVED'
  | 'PARAM_UNUSED'
  | 'REFERENCE_INVALID'
  | 'NAME_INVALID'
  | 'NAME_RESERVED'
  | 'NAME_COLLISION'
  | 'STAGE_UNKNOWN'
  | 'STAGE_CYCLE'
  | 'PROGRAM_INVALID'
  | 'PROGRAM_MISSING'
  | 'MATRIX_INVALID'
  | 'CELL_UNKNOWN'
  | 'INPUT_INVALID'
  | 'INPUT_MISSING'
  | 'INPUT_HOLDS_OUTPUTS'
  | 'OUTPUT_UNKNOWN'
  | 'OUTPUT_INVALID'
  | 'OUTPUT_COLLISION'

/** Gathers all mistakes of a configuration, each once, in the order in which they stand in the files. */
export class Problems {
  readonly #found = new Map<string, Failure>()
  readonly #sources = new Map<string, number>()

  /** Files are listed in the order in which they were announced here. */
  announce(file: string): void {
    if (!this.#sources.has(file)) this.#sources.set(file, this.#sources.size)
  }

  add(code: ConfigCode, spot: Spot | undefined, message: string): void {
    const place = spot && placeOf(spot)
    const id = JSON.stringify([code, place?.file, place?.line, place?.column, message])
    if (place) this.announce(place.file)
    if (!this.#found.has(id)) this.#found.set(id, new Failure(code, message, place ? { place } : {}))
  }

  get any(): boolean {
    return this.#found.size > 0
  }

  list(): Failure[] {
    return [...this.#found.values()].sort((a, b) => this.#rank(a) - this.#rank(b) || line(a) - line(b))
  }

  #rank(failure: Failure): number {
    return failure.place ? (this.#sources.get(failure.place.file) ?? 0) : -1
  }
}

const line = ({ place }: Failure): number => (place ? place.line + place.column / 1e6 : 0)

/** ` Did you mean "x"?`, or nothing where no name is near. */
export const didYouMean = (name: string | undefined): string => (name === undefined ? '' : ` Did you mean "${name}"?`)

/** At most so many names of a set, for the end of a message: `a, b, c, …`. */
export function someOf(names: Iterable<string>, most = 8): string {
  const all = [...names]
  if (all.length === 0) return 'none'
  return all.length > most ? `${all.slice(0, most).join(', ')}, …` : all.join(', ')
}
