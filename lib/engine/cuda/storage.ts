import type { Node } from '../../graph/index.ts'
import type { Element } from './device.ts'

/** A stretch of device memory that a program reads or writes. */
export interface Storage {
  readonly element: Element
  /** With what pads its rows. */
  readonly entries: number
  readonly place: Place
  /** Undefined where all entries lie one behind another. */
  readonly rows?: Rows | undefined
  /** Entries after the last: rows that make their number one that products are fast with. */
  readonly spare?: number
}

/** Rows of `width` entries, of which each begins `pitch` entries after the one before. Nothing is between them. */
export interface Rows {
  readonly width: number
  readonly pitch: number
}

/**
 * `temporary`: in the program's arena, with the inputs. Constants are the program's own, state is a memory's, and so is a
 * `copy` in bfloat16 of state that the program does not change.
 */
export type Place =
  | { readonly kind: 'temporary' }
  | { readonly kind: 'input'; readonly name: string }
  | { readonly kind: 'state'; readonly name: string }
  | { readonly kind: 'copy'; readonly name: string }
  | { readonly kind: 'constant'; readonly node: Node<'constant'> }

const sizes = { f32: 4, i32: 4, bf16: 2, f16: 2, u8: 1 } satisfies Record<Element, number>

export const bytesPerEntry = (element: Element): number => sizes[element]

export const bytesOf = ({ element, entries, spare = 0 }: Storage): number => (entries + spare) * sizes[element]

/** A pointer that a kernel takes. */
export interface Pointer {
  readonly storage: Storage
  /** In entries. */
  readonly offset: number
}
