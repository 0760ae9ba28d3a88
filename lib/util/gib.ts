/** For people: `5.8 GiB`. */
export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`
