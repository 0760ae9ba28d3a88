import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { nearest } from '../util/nearest.ts'
import { packageRoot } from '../util/package-root.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { someOf } from './problems.ts'

const kinds = {
  anything: { article: 'nothing', marker: '' },
  model: { article: 'no model', marker: 'config.json' },
} as const

/** The folder of `builtin:NAME`, which comes with the package; of a name that it does not have, what to say. */
export function findBuiltin(name: string, kind: keyof typeof kinds): Result<string, string> {
  const folder = join(packageRoot(), 'lib', 'data', 'builtin')
  const { article, marker } = kinds[kind]
  const names = readdirSync(folder).filter((one) => existsSync(join(folder, one, marker)))
  if (names.includes(name)) return ok(join(folder, name))
  const near = nearest(name, names)
  const there = someOf(names.map((one) => `builtin:${one}`))
  const advice = near === undefined ? `Built in: ${there}.` : `Did you mean "builtin:${near}"?`
  return err(`There is ${article} built in by the name "${name}". ${advice}`)
}
