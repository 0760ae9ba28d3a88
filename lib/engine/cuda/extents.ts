import type { MatmulShape } from './device.ts'
import { alignment } from './rows.ts'
import type { Pointer, Storage } from './storage.ts'

interface Operands {
  readonly a: Pointer
  readonly b: Pointer
  readonly c: Pointer
}

/**
 * A product over rows and columns more than there are, so that each extent is a multiple: of odd ones cuBLASLt knows only
 * slow algorithms. It reads, and writes, what pads them, in storages that have room for it; `padded` are those that it
 * reads there, where zeros must be.
 */
export function roundedUp(
  shape: MatmulShape,
  { a, b, c }: Operands,
): { readonly shape: MatmulShape; readonly padded: readonly Storage[] } {
  if (shape.batch !== 1) return { shape, padded: [] }
  const { m, n, k, transposeA, transposeB } = shape
  const [heldA, heldB, heldC] = [
    transposeA ? held(a, k, m) : held(a, m, k),
    transposeB ? held(b, n, k) : held(b, k, n),
    held(c, m, n),
  ]
  const [alongM, alongN, alongK] = [
    [transposeA ? heldA.columns : heldA.rows, heldC.rows],
    [transposeB ? heldB.rows : heldB.columns, heldC.columns],
    [transposeA ? heldA.rows : heldA.columns, transposeB ? heldB.columns : heldB.rows],
  ].map((rooms) => rooms.every((hasRoom) => hasRoom))
  const [wide, long, deep] = [alongN && odd(n), alongM && odd(m), alongK && odd(k)]
  return {
    shape: { ...shape, m: long ? up(m) : m, n: wide ? up(n) : n, k: deep ? up(k) : k },
    padded: [...(long || deep ? [a.storage] : []), ...(wide || deep ? [b.storage] : [])],
  }
}

/** Whether a matrix as it is held has room for more rows, and for more columns. */
function held({ storage, offset }: Pointer, rows: number, columns: number): { rows: boolean; columns: boolean } {
  const { width, pitch } = storage.rows ?? { width: columns, pitch: columns }
  return {
    rows: offset + rows * pitch === storage.entries && (up(rows) - rows) * pitch <= (storage.spare ?? 0),
    columns: width === columns && up(columns) <= pitch,
  }
}

const odd = (extent: number): boolean => extent % alignment !== 0
const up = (extent: number): number => Math.ceil(extent / alignment) * alignment
