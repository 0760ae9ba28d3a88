import { statSync } from 'node:fs'
import { fromRandomAccessReaderPromise, RandomAccessReader } from 'yauzl'
import { Failure } from '../../util/failure.ts'
import { isFile, readExactly, withFile } from '../read.ts'

/** Where the bytes of a member lie in the file. */
export interface Member {
  readonly begin: number
  readonly size: number
}

/** The zip file that torch.save writes: all members lie in one folder, none compressed. */
export interface Archive {
  readonly file: string
  /** By its name in the folder; undefined where it is not there. Throws TORCH_INVALID where it is compressed. */
  readonly member: (name: string) => Member | undefined
}

/** Reads the directory of the zip file alone. Throws `Failure` FILE_MISSING, TORCH_LEGACY, TORCH_INVALID. */
export async function openArchive(file: string): Promise<Archive> {
  if (!isFile(file)) throw new Failure('FILE_MISSING', `There is no file "${file}".`)
  if (isLegacy(file)) {
    const message = `"${file}" has the form that torch.save gave it before PyTorch 1.6, which cannot be read. Save it anew in PyTorch: \`torch.save(torch.load(file, weights_only=True), file)\`.`
    throw new Failure('TORCH_LEGACY', message)
  }
  const members = await readDirectory(file)
  // of whatever name; without a data.pkl in one, nothing is found
  const folder = [...members.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name))?.split('/')[0] ?? ''
  return {
    file,
    member: (name) => {
      const member = members.get(`${folder}/${name}`)
      if (member?.coded) throw invalid(file, `its ${name} is compressed or encrypted, which torch.save does not do`)
      return member
    },
  }
}

/** Bytes of the file, in a buffer of their own. Throws `Failure` TORCH_TRUNCATED. */
export function readPart(file: string, what: string, begin: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  if (withFile(file, (fd) => readExactly(fd, bytes, begin))) return bytes
  const message = `"${file}" is cut short: ${what} ends at byte ${begin + size}. Get it anew.`
  throw new Failure('TORCH_TRUNCATED', message)
}

export function invalid(file: string, what: string): Failure {
  return new Failure('TORCH_INVALID', `"${file}" is not a valid file of torch.save: ${what}. Get it anew.`)
}

/** The older form begins with a pickle of a number (torch/serialization.py, MAGIC_NUMBER). */
function isLegacy(file: string): boolean {
  const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex')
  const start = Buffer.alloc(magic.length)
  return withFile(file, (fd) => readExactly(fd, start, 0)) && start.equals(magic)
}

async function readDirectory(file: string): Promise<Map<string, Member & { readonly coded: boolean }>> {
  const members = new Map<string, Member & { readonly coded: boolean }>()
  try {
    const zip = await fromRandomAccessReaderPromise(new Reader(file), statSync(file).size)
    for await (const entry of zip.eachEntry()) {
      const { fileDataStart: begin } = await zip.readLocalFileHeaderPromise(entry, { minimal: true })
      const coded = entry.compressionMethod !== 0 || entry.isEncrypted()
      members.set(entry.fileName, { begin, size: entry.compressedSize, coded })
    }
  } catch (cause) {
    throw invalid(file, `its directory cannot be read (${(cause as Error).message})`)
  }
  return members
}

/** What yauzl reads by. Its own reader ends the process where a damaged file points beyond 2⁵³. */
class Reader extends RandomAccessReader {
  readonly #file: string

  constructor(file: string) {
    super()
    this.#file = file
  }

  override read(...[buffer, offset, length, position, done]: Parameters<RandomAccessReader['read']>): void {
    const target = buffer.subarray(offset, offset + length)
    const whole = withFile(this.#file, (fd) => readExactly(fd, target, position))
    done(whole ? null : new Error('it points beyond the end of the file'))
  }

  override close(done: (error: Error | null) => void): void {
    done(null)
  }
}
