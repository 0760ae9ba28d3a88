/** A queue of Slurm holds ten thousand jobs where nobody said else; and each that waits takes memory. */
const MOST = 10_000

/**
 * Works on all, on so many at once; new ones are begun when half of these have ended, many together, as a cluster takes
 * them in one request.
 */
export function inTurn<T>(items: readonly T[], work: (item: T) => Promise<void>, most = MOST): Promise<void> {
  return new Promise((resolve, reject) => {
    let [next, living] = [0, 0]
    const ended = (): void => {
      living -= 1
      if (living === 0 && next === items.length) resolve()
      else if (living <= most / 2) fill()
    }
    const fill = (): void => {
      while (living < most && next < items.length) {
        living += 1
        work(items[next++]!).then(ended, reject)
      }
    }
    if (items.length === 0) resolve()
    fill()
  })
}
