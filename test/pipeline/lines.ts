import { existsSync, readdirSync, rmSync } from 'node:fs'
import type { TestContext } from 'node:test'
import type { Stage } from '../../lib/pipeline/pipeline.ts'
import { Rig, module, shell, stage } from './rig.ts'

/** Doubles each line of a text; a line may be told to fail, by a file that is no input, and each run of a part is noted. */
export const DOUBLE = (log: string, unit = 'lines') => `
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
const linesOf = (file) => readFileSync(file, 'utf8').trimEnd().split('\\n')
const double = (line) => {
  if (existsSync(${JSON.stringify(log)} + '.bad-' + line)) throw new Error('no ' + line)
  return line + line + '\\n'
}
export default {
  params: { type: 'object', properties: { mark: { type: 'string', default: '' } } },
  in: ['text'], out: ['text'],
  async run({ in: from, out }) {
    appendFileSync(${JSON.stringify(log)}, 'all\\n')
    writeFileSync(out.text, linesOf(from.text).map(double).join(''))
  },
  shards: {
    unit: '${unit}',
    units: ({ in: from }) => linesOf(from.text).length,
    async run({ in: from, range, part, ranOn, checkpoint }) {
      appendFileSync(${JSON.stringify(log)}, range.from + '-' + range.to + '\\n')
      ranOn('test')
      writeFileSync(part, linesOf(from.text).slice(range.from, range.to).map(double).join(''))
    },
    async merge({ in: from, parts, out }) {
      appendFileSync(${JSON.stringify(log)}, 'merge\\n')
      if (Object.keys(from).join() !== 'text') throw new Error('inputs ' + Object.keys(from))
      writeFileSync(out.text, parts.map((part) => readFileSync(part, 'utf8')).join(''))
    },
  },
}`

/** A pipeline whose second stage doubles the lines of a text, in parts. */
export class Lines extends Rig {
  readonly log: string

  constructor(context: TestContext, count: number) {
    super(context)
    this.log = this.path('log')
    this.write('double.ts', DOUBLE(this.log))
    this.write('input.txt', Array.from({ length: count }, (_, n) => `l${n}\n`).join(''))
  }

  stages(shards: number | undefined): Stage[] {
    const more = { in: { text: 'first.text' }, out: { text: 'text.txt' }, shards }
    return [
      stage('first', shell('cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'), {
        in: { text: './input.txt' },
        out: { text: 'text.txt' },
      }),
      stage('double', module('double.ts'), more),
      stage('last', shell('cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'), {
        in: { text: 'double.text' },
        out: { text: 'text.txt' },
      }),
    ]
  }

  /** What was worked on since the last look, sorted. */
  worked(): string[] {
    const lines = existsSync(this.log) ? this.read('log').trimEnd().split('\n') : []
    rmSync(this.log, { force: true })
    return lines.sort()
  }

  /** How parts ended, as the events say. */
  parts(): string[] {
    return this.events.flatMap((event) =>
      event.type === 'stage-finished' && event.name.includes('[shard') ? `${event.name}: ${event.outcome}` : [],
    )
  }

  get folder(): string {
    return readdirSync(this.path('artifacts', 'store')).find((name) => name.startsWith('double@'))!
  }

  /** Without the result, as if it had not been merged. */
  unmerge(): void {
    rmSync(this.path('artifacts', 'store', 'double'), { recursive: true })
  }
}
