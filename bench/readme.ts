import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../lib/util/package-root.ts'
import { fill, sections } from './readme/sections.ts'
import { scalingSections } from './scaling/document.ts'

/** `npm run readme`: writes what bench/results holds between the marks of README.md and docs/scaling.md. */
const results = join(import.meta.dirname, 'results')
const parts = { 'README.md': sections(results), 'docs/scaling.md': scalingSections(results) }
for (const [name, tables] of Object.entries(parts)) {
  const file = join(packageRoot(), name)
  writeFileSync(file, fill(readFileSync(file, 'utf8'), tables))
}
