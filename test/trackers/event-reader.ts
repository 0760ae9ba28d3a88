/** Reads event files by their formats' descriptions alone, and shares no code with what writes them. */

export type Field = number | Buffer
export type Fields = ReadonlyMap<number, readonly Field[]>

/** The data of each TFRecord. Throws where a length or a checksum is wrong. */
export function readRecords(file: Buffer): Buffer[] {
  const records: Buffer[] = []
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at))
    const data = file.subarray(at + 12, at + 12 + length)
    check(file.subarray(at, at + 8), file.readUInt32LE(at + 8))
    check(data, file.readUInt32LE(at + 12 + length))
    records.push(data)
    at += length + 16
  }
  return records
}

function check(data: Buffer, stored: number): void {
  // the mask, undone: a rotation by 15 after a shift of the sum
  const turned = (stored - 0xa282ead8) >>> 0
  if (plainCrc(data) !== ((turned >>> 17) | (turned << 15)) >>> 0) throw new Error('a checksum is wrong')
}

/** CRC-32C by polynomial division, bit by bit, from the highest: no table, nothing reflected. */
function plainCrc(data: Buffer): number {
  let rest = 0xffffffffn
  for (const byte of data) {
    for (let bit = 0; bit < 8; bit++) {
      const next = (rest >> 31n) ^ BigInt((byte >> bit) & 1)
      rest = ((rest << 1n) & 0xffffffffn) ^ (next === 1n ? 0x1edc6f41n : 0n)
    }
  }
  const bits = (rest ^ 0xffffffffn).toString(2).padStart(32, '0')
  return parseInt(Array.from(bits).reverse().join(''), 2)
}

/** The fields of a protobuf message by number: varints and fixed numbers, and bytes of what has a length. */
export function fieldsOf(message: Buffer): Fields {
  const fields = new Map<number, Field[]>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at++]!
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
  }
  const value = (type: number): Field => {
    if (type === 0) return varint()
    if (type === 1) return message.readDoubleLE((at += 8) - 8)
    if (type === 5) return message.readFloatLE((at += 4) - 4)
    if (type !== 2) throw new Error(`wire type ${type}`)
    const length = varint()
    return message.subarray(at, (at += length))
  }
  while (at < message.length) {
    const key = varint()
    const found = value(key & 7)
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), found])
  }
  return fields
}
