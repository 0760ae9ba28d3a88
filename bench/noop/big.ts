import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync, utimesSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { figure } from '../figures.ts'
import type { Figure } from '../figures.ts'
import { noopSeconds } from './project.ts'
import { inputBytesRead } from './reads.ts'
import { ours, secondsOf } from './tools.ts'

const FILES = 8
const BYTES = 512 * 2 ** 20
const turns = 9

/** What 4 GiB more of inputs change: the first run hashes them, the next read none of them. */
export async function bigInputs(folder: string, without: number): Promise<readonly Figure[]> {
  const big = join(folder, 'data', 'big')
  writeBig(big)
  try {
    await hashedBySha256(big) // into the page cache
    const rates = { ours: [] as number[], peer: [] as number[] }
    for (let turn = 0; turn < 3; turn++) {
      rates.peer.push((FILES * BYTES) / 1e9 / (await hashedBySha256(big)))
      touch(big)
      const seconds = await secondsOf(ours, folder)
      if (seconds === undefined) throw new Error('the run with 4 GiB of inputs failed')
      rates.ours.push((FILES * BYTES) / 1e9 / (seconds - without))
    }
    // a state is remembered once the clock that stamps files has gone on
    await secondsOf(ours, folder)
    const again: number[] = []
    for (let turn = 0; turn < turns; turn++) again.push((await noopSeconds(ours, folder)) ?? NaN)
    const peer = without
    return [
      figure({
        ...{
          what: 'first hash of 4 GiB in eight files',
          unit: 'GB/s',
          ours: rates.ours,
          peer: rates.peer,
        },
        ...{ peerName: 'sha256 of node:crypto in two threads', reach: { min: 0.8 } },
      }),
      figure({
        ...{ what: 'a run with nothing to do, 4 GiB of inputs', unit: 's', ours: again, peer },
        ...{ peerName: 'the same without them', reach: { max: 1.15 } },
      }),
      figure({
        ...{ what: 'input bytes read by it', unit: 'bytes', ours: inputBytesRead(folder), reach: { max: 0 } },
      }),
    ]
  } finally {
    rmSync(big, { recursive: true, force: true })
  }
}

function writeBig(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const block = Buffer.alloc(2 ** 24)
  for (let file = 0; file < FILES; file++) {
    const fd = openSync(join(folder, `${file}.bin`), 'w')
    for (let at = 0; at < BYTES; at += block.length) {
      block.fill(`${file} ${at} `)
      writeSync(fd, block)
    }
    fsyncSync(fd)
    closeSync(fd)
  }
}

/** Every file is another state, and has to be hashed anew. */
function touch(folder: string): void {
  const past = new Date(Date.now() - 60_000)
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), past, past)
}

const HASHER = `
const { createHash } = require('node:crypto')
const { openSync, readSync, closeSync } = require('node:fs')
const { workerData, parentPort } = require('node:worker_threads')
const buffer = Buffer.alloc(2 ** 18)
for (const file of workerData) {
  const [hash, fd] = [createHash('sha256'), openSync(file)]
  for (let n; (n = readSync(fd, buffer)) > 0;) hash.update(buffer.subarray(0, n))
  closeSync(fd)
  hash.digest()
}
parentPort.postMessage('done')
`

/** Seconds in which two threads hash half of the files each. */
async function hashedBySha256(folder: string): Promise<number> {
  const files = readdirSync(folder).map((name) => join(folder, name))
  const started = performance.now()
  const halves = [files.slice(0, FILES / 2), files.slice(FILES / 2)]
  await Promise.all(
    halves.map(
      (workerData) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(HASHER, { eval: true, workerData })
          worker.once('message', resolve).once('error', reject)
        }),
    ),
  )
  return (performance.now() - started) / 1000
}
