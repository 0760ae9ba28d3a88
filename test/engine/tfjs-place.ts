import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { after } from 'node:test'

const root = join(import.meta.dirname, '../..')
export const name = '@tensorflow/tfjs-node-gpu'

/** The engines in a temporary folder, the package beside them as npm installs it. */
export function makePlace(): string {
  const place = mkdtempSync(join(tmpdir(), 'tfjs-node-'))
  after(() => rmSync(place, { recursive: true, force: true }))
  for (const part of ['lib/engine', 'lib/graph', 'lib/util', 'package.json', 'tsconfig.json'])
    cpSync(join(root, part), join(place, part), { recursive: true })
  const [from, to] = [join(root, 'node_modules'), join(place, 'node_modules')]
  mkdirSync(join(to, '@tensorflow'), { recursive: true })
  const packages = [...readdirSync(from), ...readdirSync(join(from, '@tensorflow')).map((one) => `@tensorflow/${one}`)]
  for (const one of packages.filter((each) => ![name, '@tensorflow', '.cache'].includes(each)))
    symlinkSync(join(from, one), join(to, one), 'junction')
  const native = ['deps', 'lib'].map((folder) => join(from, name, folder))
  const filter = (file: string): boolean => !native.some((folder) => file === folder || file.startsWith(folder + sep))
  cpSync(join(from, name), join(to, name), { recursive: true, filter })
  return place
}
