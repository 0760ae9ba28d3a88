import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { linkPackages } from '../../bench/copy.ts'
import { Place } from './command.ts'
import type { Context } from './command.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** The project as it is cloned, in a temporary folder. */
export function makeProject(context: Context): Place {
  const place = new Place(context)
  for (const part of ['lib', 'stages', 'recipes', 'pipeline.yaml', 'package.json', 'package-lock.json']) {
    cpSync(join(ROOT, part), join(place.root, part), { recursive: true })
  }
  linkPackages(join(ROOT, 'node_modules'), join(place.root, 'node_modules'))
  return place
}
