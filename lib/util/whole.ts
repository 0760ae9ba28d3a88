/** Whether nothing is missing. */
export const isWhole = <T>(items: readonly (T | undefined)[]): items is readonly T[] => !items.includes(undefined)
