import { encodeEvent } from './event.ts'
import type { Summary } from './event.ts'

/** The bytes of a TensorBoard event file: a record that says the version, then one for each event. */
export function eventFile(started: number, events: readonly TimedSummary[]): Buffer {
  const first = encodeEvent({ wallTime: started / 1000, fileVersion: 'brain.Event:2' })
  const rest = events.map(({ time, step, value }) => encodeEvent({ wallTime: time / 1000, step, summary: { value } }))
  return Buffer.concat([first, ...rest].map(frame))
}

export interface TimedSummary {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly step: number
  readonly value: Summary['value']
}

/**
 * A TFRecord: the length as uint64, its masked CRC, the data, their masked CRC, little-endian
 * (tensorflow/core/lib/io/record_writer.h).
 */
function frame(data: Uint8Array): Buffer {
  const record = Buffer.alloc(12 + data.length + 4)
  record.writeBigUInt64LE(BigInt(data.length))
  record.writeUInt32LE(masked(crc32c(record.subarray(0, 8))), 8)
  record.set(data, 12)
  record.writeUInt32LE(masked(crc32c(data)), 12 + data.length)
  return record
}

/** A CRC of bytes that hold a CRC is weak, so that a stored one is turned and shifted (tensorflow/core/lib/hash/crc32c.h). */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0

/** CRC-32C (Castagnoli), reflected: RFC 3720, appendix B.4. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f63b78
  return crc
})
