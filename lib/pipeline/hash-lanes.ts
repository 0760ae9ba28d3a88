import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

/** A part of an open file. */
interface Range {
  readonly fd: number
  readonly start: number
  readonly length: number
}

/** Hex; null where the file ended before the range. */
type RangeDigest = string | null

type Answer = { readonly digest: RangeDigest } | { readonly code: string; readonly message: string }

/** More hash no faster than memory is read. */
const MOST = 4

/**
 * A thread that reads and hashes in small pieces, which stay in the cache of its core (WebCrypto's digest takes a whole
 * chunk at once, and a copy of it). As text, because what imports this module is bundled into one file.
 */
const THREAD = `
const { createHash } = require('node:crypto')
const { readSync } = require('node:fs')
const { parentPort } = require('node:worker_threads')
const buffer = Buffer.allocUnsafeSlow(256 * 1024)
const digest = ({ fd, start, length }) => {
  const hash = createHash('sha256')
  for (let done = 0; done < length; ) {
    const read = readSync(fd, buffer, 0, Math.min(buffer.length, length - done), start + done)
    if (read === 0) return null
    hash.update(read === buffer.length ? buffer : buffer.subarray(0, read))
    done += read
  }
  return hash.digest('hex')
}
parentPort.on('message', (range) => {
  try {
    parentPort.postMessage({ digest: digest(range) })
  } catch ({ code, message }) {
    parentPort.postMessage({ code, message })
  }
})
`

let started: readonly Lane[] | undefined

/** The threads that hash, started when they are first asked for; none keeps the process alive while it has nothing to do. */
export const hashLanes = (): readonly Lane[] =>
  (started ??= Array.from({ length: Math.min(MOST, availableParallelism()) }, () => new Lane()))

/** One thread; what it is asked it answers in turn. */
export class Lane {
  readonly #worker = new Worker(THREAD, { eval: true })
  readonly #waiting: { resolve: (digest: RangeDigest) => void; reject: (error: unknown) => void }[] = []

  constructor() {
    this.#worker.on('message', (answer: Answer) => {
      const asked = this.#waiting.shift()!
      if (this.#waiting.length === 0) this.#worker.unref()
      if ('digest' in answer) asked.resolve(answer.digest)
      else asked.reject(Object.assign(new Error(answer.message), { code: answer.code }))
    })
    this.#worker.on('error', (error) => {
      for (const asked of this.#waiting.splice(0)) asked.reject(error)
    })
    this.#worker.unref() // after the listeners, of which that of messages takes it back
  }

  digest(range: Range): Promise<RangeDigest> {
    this.#worker.ref()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#worker.postMessage(range)
    })
  }
}
