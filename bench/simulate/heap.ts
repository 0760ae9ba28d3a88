/** A binary heap: what ends first is taken first. */
export class Heap<T extends { readonly at: number }> {
  readonly #items: T[] = []

  get first(): T | undefined {
    return this.#items[0]
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items[Symbol.iterator]()
  }

  push(item: T): void {
    const items = this.#items
    let index = items.push(item) - 1
    for (let up = (index - 1) >> 1; index > 0 && items[up]!.at > item.at; up = (index - 1) >> 1) {
      items[index] = items[up]!
      index = up
    }
    items[index] = item
  }

  pop(): T | undefined {
    const items = this.#items
    const [first, last] = [items[0], items.pop()]
    if (items.length === 0 || last === undefined) return first
    let index = 0
    for (let down = 1; down < items.length; down = 2 * index + 1) {
      if (down + 1 < items.length && items[down + 1]!.at < items[down]!.at) down++
      if (items[down]!.at >= last.at) break
      items[index] = items[down]!
      index = down
    }
    items[index] = last
    return first
  }
}
