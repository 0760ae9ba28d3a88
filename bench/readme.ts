import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../lib/util/package-root.ts'
import { fill, sections } from './readme/sections.ts'

/** `npm run readme`: writes what bench/results holds between the marks of README.md. */
const file = join(packageRoot(), 'README.md')
writeFileSync(file, fill(readFileSync(file, 'utf8'), sections(join(import.meta.dirname, 'results'))))
