import { sha256 } from './canonical.ts'

/** Names that Windows keeps for devices, with any ending: `con`, `Aux.txt`, `com¹`. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d¹²³]) *(?:\.|$)/i

/** Hexadecimal digits that tell apart names which were cut to the same beginning. */
const DIGITS = 16

/** Why Windows refuses the name of a file or folder, as a sentence without its full stop; undefined where it takes it. */
export function refusedByWindows(name: string): string | undefined {
  const [character] = /[<>:"/\\|?*\0-\x1f\x7f-\x9f]/.exec(name) ?? []
  if (character !== undefined) return `Windows takes no ${JSON.stringify(character)} in the name of a file`
  const [, device] = DEVICE.exec(name) ?? []
  if (device !== undefined) return `Windows keeps "${device}" for a device, with any ending`
  return /[. ]$/.test(name) ? 'Windows takes no "." and no space at the end of the name of a file' : undefined
}

/** Equal for names that are one on a disk which tells neither case nor the two Unicode forms of `é` apart. */
export const folded = (name: string): string => name.normalize('NFC').toLowerCase()

/** What file systems count: bytes of UTF-8 where Windows counts UTF-16 units, of which there are never more. */
export const lengthOf = (name: string): number => Buffer.byteLength(name)

/** A name of at most so many bytes: a longer one is cut, and told from others by the digest of the whole. */
export function shortened(name: string, most: number): string {
  if (lengthOf(name) <= most) return name
  const end = `~${sha256(name).slice(0, DIGITS)}`
  let start = name.slice(0, most - end.length)
  while (lengthOf(start) > most - end.length) start = start.slice(0, -1)
  // not half of a character that takes two units
  return start.replace(/[\uD800-\uDBFF]$/, '') + end
}
