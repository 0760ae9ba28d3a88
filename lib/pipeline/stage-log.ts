import { closeSync, openSync, writeSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { errorCode } from '../util/error-code.ts'

export interface StageLog {
  readonly write: (chunk: Buffer) => void
  /** Gives the last line, if it had no end, and closes the file. */
  readonly close: () => void
}

const MOST_BYTES = 64 * 1024 * 1024
const MOST_CHARACTERS = 4096

/** A log file and its lines, in bounded memory and on bounded disk whatever a stage writes: the first 64 MiB of it. */
export function openLog(file: string, onLine: (line: string) => void, mostBytes = MOST_BYTES): StageLog {
  const fd = openSync(file, 'a')
  const decoder = new StringDecoder('utf8')
  let room = mostBytes
  let line = ''
  const write = (chunk: Buffer): void => {
    if (room <= 0) return
    const kept = chunk.subarray(0, room)
    room -= kept.length
    writeAll(fd, kept)
    if (room === 0) writeAll(fd, Buffer.from(`\n[cut: a log keeps its first ${mostBytes} bytes]\n`))
    const lines = (line + decoder.write(kept)).split('\n')
    line = lines.pop()!.slice(0, MOST_CHARACTERS)
    for (const text of lines) onLine(text.slice(0, MOST_CHARACTERS))
  }
  const close = (): void => {
    if (line !== '') onLine(line)
    ignoreFailure(() => closeSync(fd))
  }
  return { write, close }
}

function writeAll(fd: number, data: Buffer): void {
  ignoreFailure(() => {
    for (let at = 0; at < data.length;) at += writeSync(fd, data, at)
  })
}

/** A full disk, or one that is gone, must not end the run for the sake of a log; what the stage itself writes will tell. */
function ignoreFailure(write: () => void): void {
  try {
    write()
  } catch (error) {
    if (errorCode(error) === undefined) throw error
  }
}
