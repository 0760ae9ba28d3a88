import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from './command.ts'

const STAGE = `import { writeFileSync } from 'node:fs'
import { half } from './halves.ts'

// a comment, which the bundle that runs has not
export default {
  params: { type: 'object', additionalProperties: false, properties: { of: { type: 'integer' } } },
  in: [],
  out: ['o'],
  async run({ with: { of }, out }: { with: { of: number }; out: { o: string } }) {
    writeFileSync(out.o, String(half(of)))
  },
}
`
const HALVES = `/** Of an even number. */
export function half(of: number): number {
  if (of % 2 === 1) throw new RangeError(\`\${of} is odd\`)
  return of / 2
}
`

it('what a stage throws is said with its line in the sources; --debug has the stack in the sources too', async (t) => {
  const place = new Place(t)
  place.write('package.json', '{ "type": "module" }')
  place.write('stages/halve.ts', STAGE)
  place.write('stages/halves.ts', HALVES)
  place.write('pipeline.yaml', 'version: 1\nstages:\n  halve: { run: stages/halve.ts, with: { of: 3 }, out: [o] }\n')
  const { code, errors } = await place.run('run')
  assert.equal(code, 1)
  assert.ok(
    errors.startsWith(`error: stages/halves.ts:3:27: Stage "halve": 3 is odd [STAGE_FAILED]
  3 |   if (of % 2 === 1) throw new RangeError(\`\${of} is odd\`)
    |                           ^
  its log: `),
    errors,
  )
  const { errors: debugged } = await place.run('run', 'halve', '--debug')
  assert.ok(
    debugged.includes(`
RangeError: 3 is odd
    at half (stages/halves.ts:3:27)
    at Object.run (stages/halve.ts:10:33)
  its log: `),
    debugged,
  )
  const { lines } = await place.lines()
  const { failure } = lines.find(({ type }) => type === 'failure') as unknown as { failure: { place: unknown } }
  assert.deepEqual(failure.place, { file: 'stages/halves.ts', line: 3, column: 27, text: HALVES.split('\n')[2] })
})
