import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'
import { Place } from '../e2e/command.ts'
import type { Line } from '../e2e/command.ts'

const BIN = join(import.meta.dirname, '../../lib/cli/bin.cjs')
const CELLS = 12
const YAML = `version: 1
stages:
  cell:
    cmd: [sh, -c, 'sleep 0.2; echo "$1" > "$2"', sh, '\${with.x}', '\${out.text}']
    matrix: { x: [${Array.from({ length: CELLS }, (_, i) => i).join(', ')}] }
    with: { x: '\${matrix.x}' }
    out: [text]
`

/** A run of all cells at once that may have so many files open. */
function limited(root: string, files: number): Promise<{ readonly code: number; readonly lines: readonly Line[] }> {
  const script = `ulimit -n ${files}; exec "$0" "$@"`
  const args = ['-c', script, process.execPath, BIN, 'run', '--json', '--keep-going', '--jobs', String(CELLS)]
  return new Promise((resolve) =>
    execFile('bash', args, { cwd: root }, (error, out) => {
      const lines = out.split('\n').filter(Boolean)
      resolve({ code: Number(error?.code ?? 0), lines: lines.map((line) => JSON.parse(line) as Line) })
    }),
  )
}

it(
  'too few files that may be open: said of each stage that failed for it, and the next run makes what is missing',
  { timeout: 300_000 },
  async (t) => {
    const seen = new Set<string>()
    for (const files of [24, 28, 32, 36, 44]) {
      const place = new Place(t)
      place.write('package.json', '{ "private": true }')
      place.write('pipeline.yaml', YAML)
      const { code, lines } = await limited(place.root, files)
      const failures = lines.flatMap((line) => (line.type === 'failure' ? [line['failure'] as { readonly code: string }] : [])) // prettier-ignore
      assert.deepEqual([...new Set(failures.map((one) => one.code))], failures.length > 0 ? ['TOO_MANY_FILES'] : [], `${files} files`) // prettier-ignore
      assert.equal(code, failures.length > 0 ? 1 : 0)
      assert.equal(lines.at(-1)?.type, 'finished', `${files} files`)
      seen.add(failures.length > 0 ? 'too few' : 'enough')
      const { last } = await place.lines()
      assert.equal((last['stages'] as readonly unknown[]).length, CELLS)
      for (let x = 0; x < CELLS; x++) assert.equal(place.read(`artifacts/cell/${x}/text`), `${x}\n`)
    }
    assert.deepEqual([...seen].sort(), ['enough', 'too few'])
  },
)
