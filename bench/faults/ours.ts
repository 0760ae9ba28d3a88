import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/util/package-root.ts'
import { binOf } from '../command.ts'
import { linkTo } from './tools.ts'
import type { Tool } from './tools.ts'

export const ours: Tool = {
  name: 'ours',
  outputs: { upper: 'artifacts/upper/upper.txt', parts: 'artifacts/split/parts', joined: 'artifacts/slow/joined.txt' },
  setUp: (folder) => {
    writeFileSync(join(folder, 'package.json'), '{}')
    writeFileSync(join(folder, 'pipeline.yaml'), PIPELINE)
  },
  command: () => ({ argv: [process.execPath, binOf(packageRoot()), 'run'], env: {} }),
  program: 'node',
  cache: 'artifacts/store',
  records: /^artifacts\/(store|experiments)\/.*\/(manifest|record)\.json$|\/metrics\.jsonl$|^node_modules\/\.cache\//,
  links: ['artifacts/upper', 'artifacts/split', 'artifacts/slow'],
  share: (folder, shared) => linkTo(join(folder, 'artifacts', 'store'), shared),
}

const PIPELINE = `version: 1
stages:
  upper:
    cmd: [sh, make.sh, upper, '\${in.input}', '\${out.upper}']
    in: { input: input.txt }
    out: [upper: upper.txt]
  split:
    cmd: [sh, make.sh, split, '\${in.upper}', '\${out.parts}']
    in: { upper: upper.upper }
    out: [parts]
  slow:
    cmd: [sh, make.sh, slow, '\${in.parts}', '\${in.input}', '\${out.joined}']
    in: { parts: split.parts, input: input.txt }
    out: [joined: joined.txt]
`
