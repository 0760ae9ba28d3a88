import { spawnSync } from 'node:child_process'
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { openPromise } from 'yauzl'

/** The binding calls TensorFlow's C interface alone, which stays as it is from version to version; this one was tried. */
const VERSION = '2.18.1'
/** Says in `deps` what lies there. */
const NOTE = 'from.txt'

/** What there is of the wheel's 1 GB for us: the libraries, and the headers of the C interface. */
const members =
  /^tensorflow\/(?<place>libtensorflow_(cc|framework)\.so\.2|include\/(tensorflow\/c\/|xla\/tsl\/c\/|(tsl|tensorflow\/core)\/platform\/ctstring).*\.h)$/

/** `tensorflow` computes on NVIDIA cards, with the machine's CUDA 12 and cuDNN 9, and is twice as large. */
export const wheelFor = (hasCard: boolean): string => `${hasCard ? 'tensorflow' : 'tensorflow-cpu'}==${VERSION}`

/** Whether all of this wheel was put there. */
export function isInstalled(deps: string, wheel: string): boolean {
  const note = join(deps, NOTE)
  return existsSync(note) && readFileSync(note, 'utf8') === wheel
}

/** Puts the library and its headers in `deps`, all or nothing. */
export async function fetchLibrary(deps: string, wheel: string): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`only on Linux x64 is the library taken from PyPI, and this is ${process.platform} ${process.arch}`)
  }
  const folder = mkdtempSync(`${deps}-`)
  try {
    download(wheel, folder)
    const whole = join(folder, 'deps')
    await extract(join(folder, readdirSync(folder)[0]!), whole)
    writeFileSync(join(whole, NOTE), wheel)
    rmSync(deps, { recursive: true, force: true })
    renameSync(whole, deps)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** By pip, which knows the index and the proxy of this machine, and checks the digest. Any version of Python does. */
function download(wheel: string, folder: string): void {
  const target = ['--only-binary=:all:', '--platform', 'manylinux2014_x86_64', '--python-version', '3.11']
  const args = ['-m', 'pip', 'download', '--quiet', '--no-deps', ...target, '--dest', folder, wheel]
  const { status, error, stderr } = spawnSync('python3', args, { encoding: 'utf8', stdio: ['ignore', 2, 'pipe'] })
  if (status === 0) return
  const reason = error?.message ?? stderr.trim().split('\n').at(-1)
  throw new Error(
    `\`python3 -m pip download ${wheel}\` failed (${reason}): it needs python3 with pip (Debian: python3-pip) and PyPI`,
  )
}

async function extract(file: string, folder: string): Promise<void> {
  const zip = await openPromise(file)
  let libraries = 0
  for await (const entry of zip.eachEntry()) {
    const place = members.exec(entry.fileName)?.groups!['place']
    if (place === undefined) continue
    const isLibrary = !place.startsWith('include/')
    const target = join(folder, isLibrary ? join('lib', place) : place)
    mkdirSync(dirname(target), { recursive: true })
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target))
    if (isLibrary) libraries++
  }
  if (libraries !== 2) throw new Error(`the wheel is not as it was: it has ${libraries} of TensorFlow's two libraries`)
}
