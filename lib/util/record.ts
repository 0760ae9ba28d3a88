/** An object without a prototype: `__proto__` and `constructor` are names like any other in it. */
export function toRecord<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  const record = Object.create(null) as Record<string, T>
  for (const [name, value] of entries) record[name] = value
  return record
}
