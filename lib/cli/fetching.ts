import type { Said } from '../util/answer.ts'
import { writeError } from './output.ts'

/** How far a download is, is said at most this often; one that takes less says nothing. */
const EVERY_MS = 1000

type Fetching = Extract<Said, { type: 'fetching' }>

/** Says on standard error how far the download of a model is. */
export function fetchingPrinter(): (fetching: Fetching) => void {
  let last: number | undefined
  return ({ what, done, total }) => {
    const now = performance.now()
    last ??= now
    if (now - last < EVERY_MS) return
    last = now
    writeError(`fetching ${what}  ${megabytes(done)} of ${megabytes(total)} MB (${Math.floor((100 * done) / total)} %)`)
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
