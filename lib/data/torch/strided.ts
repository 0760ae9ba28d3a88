/** Where the values of a tensor lie in its storage, in elements. */
export interface Layout {
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly offset: number
}

export const elementsOf = ({ shape }: Layout): number =>
  shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1)

/** Elements from the first one to the last one, both included. */
export function spanOf(layout: Layout): number {
  if (elementsOf(layout) === 0) return 0
  return layout.shape.reduce((span, length, axis) => span + (length - 1) * layout.strides[axis]!, 1)
}

/** The bytes of a tensor in row-major order, from those of its span; `width` is the size of an element in bytes. */
export function rowMajor(raw: ArrayBuffer, width: number, layout: Layout): ArrayBuffer {
  if (raw.byteLength === 0 || isRowMajor(layout)) return raw
  const [source, target] = [new Uint8Array(raw), new Uint8Array(elementsOf(layout) * width)]
  // an axis of length 1 is never stepped along: what is left is at most as deep as the binary logarithm of the elements
  const axes = layout.shape
    .map((length, axis) => ({ length, stride: layout.strides[axis]! * width }))
    .filter(({ length }) => length !== 1)
  let to = 0
  const copy = (axis: number, from: number): void => {
    const { length, stride } = axes[axis] ?? { length: width, stride: 1 }
    for (let i = 0; i < length; i++) {
      if (axis < axes.length) copy(axis + 1, from + i * stride)
      else target[to++] = source[from + i]!
    }
  }
  copy(0, 0)
  return target.buffer
}

function isRowMajor({ shape, strides }: Layout): boolean {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis]!
  }
  return true
}
