import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from './command.ts'
import { LanguageServer } from './language-server.ts'

const TEXT = `# yaml-language-server: $schema=./pipeline.schema.json
version: 1
stages:
  student:
    run: stages/distill.ts
    in: { student: a, tokens: b }
    with:
      context: 64
      temperature: 2
      alpha: \${share}
      loss: 
      hiddenLoss: mze
      decay: wsd
      
    timout: 3
  own:
    run: stages/mine.ts
    with: { anything: 1 }
    
  other:
    run: stages/distill.ts
    in: { student: a, tokens: b }
    with:
      context: 64
      loss: jsd
`
const line = (text: string): number => TEXT.split('\n').indexOf(text)

it('a YAML language server completes, explains and checks pipeline.yaml by pipeline.schema.json', async (t) => {
  const editor = new LanguageServer(t, process.cwd())
  await editor.open(TEXT)
  const found = new Map((await editor.diagnostics).map(({ range, message }) => [range.start.line, message]))
  assert.deepEqual(
    [...found.keys()].sort((a, b) => a - b),
    [line('      loss: '), line('      hiddenLoss: mze'), line('    timout: 3')],
  )
  assert.equal(found.get(line('    timout: 3')), 'Property timout is not allowed.')
  assert.equal(found.get(line('      hiddenLoss: mze')), 'Value is not accepted. Valid values: "mse", "cosine".')

  const keys = await editor.completions({ line: line('    '), character: 4 })
  for (const key of ['in', 'out', 'matrix', 'retries'])
    assert.ok(keys.includes(key), `a stage completes "${key}": ${keys.join()}`)

  const parameters = await editor.completions({ line: line('      '), character: 6 })
  for (const name of ['clip', 'rate', 'epochs']) assert.ok(parameters.includes(name), `with: completes "${name}"`)
  assert.ok(!parameters.includes('temperature'), 'it is there already')

  const hover = await editor.hover({ line: line('      temperature: 2'), character: 9 })
  assert.match(hover, /divides the logits of both[^]*without unit[^]*1503\.02531[^]*Default: 2/)

  const losses = await editor.completions({ line: line('      loss: '), character: 12 })
  for (const name of ['forward-kl', 'jsd', 'argmax-ce']) assert.ok(losses.includes(name), `loss: completes "${name}"`)
  const decay = await editor.hover({ line: line('      decay: wsd'), character: 14 })
  assert.match(decay, /wsd`: warm-up, stable, decay[^]*2404\.06395/)
  const distance = await editor.hover({ line: line('      loss: jsd'), character: 12 })
  assert.match(distance, /jsd`: generalised Jensen–Shannon: .*nats/)
})

const PARAMS = `# yaml-language-server: $schema=./pipeline.schema.json
version: 1
params:
  context: sixty
  teacher: { model: 3 }
  extra: \${context}
  distill:
    temperature: 2
    alpha: 1.5
    rate: \${extra}
    
  anything: { goes: [here] }
stages: {}
`
const at = (text: string): number => PARAMS.split('\n').indexOf(text)

it('completes, explains and checks under `params:` by what the stages take from there', async (t) => {
  const editor = new LanguageServer(t, process.cwd())
  await editor.open(PARAMS)
  const found = new Map((await editor.diagnostics).map(({ range, message }) => [range.start.line, message]))
  assert.deepEqual(
    found,
    new Map([
      [at('  teacher: { model: 3 }'), 'Incorrect type. Expected "string".'],
      [at('  context: sixty'), 'Incorrect type. Expected "integer".'],
      [at('    alpha: 1.5'), 'Value is above the maximum of 1.'],
    ]),
  )

  const names = await editor.completions({ line: at('    '), character: 4 })
  for (const name of ['epochs', 'batch', 'seed'])
    assert.ok(names.includes(name), `completes "${name}": ${names.join()}`)
  assert.ok(!names.includes('temperature'), 'it is there already')

  const hover = await editor.hover({ line: at('    temperature: 2'), character: 8 })
  assert.match(hover, /divides the logits of both[^]*temperature\\?` of distill/)
  const shared = await editor.hover({ line: at('  context: sixty'), character: 4 })
  assert.match(shared, /context\\?` of distill, control/)
})

const STAGE = (more: string): string => `export default {
  params: { type: 'object', additionalProperties: false, properties: { times: { type: 'integer', description: 'how often' }${more} } },
  in: [], out: ['o'],
  run({ out }) { return import('node:fs').then(({ writeFileSync }) => writeFileSync(out.o, '')) },
}
`
const OWN = `version: 1
params: { all: { times: 2 }, more: { times: [1, 2], limit: 2h } }
stages:
  one: { run: stages/one.ts, with: '\${all}', out: [o] }
  many: { run: stages/one.ts, matrix: { n: '\${more.times}' }, with: { times: '\${matrix.n}' }, timeout: '\${more.limit}', out: [o] }
`

it('a run writes pipeline.schema.json anew where a project has one and its stages take other parameters', async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', OWN)
  place.write('stages/one.ts', STAGE(''))
  assert.equal((await place.run('run')).code, 0)
  assert.ok(!place.has('pipeline.schema.json'), 'who has none gets none')

  assert.equal((await place.run('schema')).code, 0)
  const of = (...path: string[]): Record<string, unknown> => {
    const schema = JSON.parse(place.read('pipeline.schema.json')) as Record<string, unknown>
    // beside each value a reference may stand
    const into = (at: Record<string, unknown>, name: string): Record<string, unknown> =>
      ((at.anyOf as Record<string, unknown>[] | undefined)?.[0] ?? at)[name] as Record<string, unknown>
    return path.flatMap((name) => ['properties', name]).reduce(into, schema)
  }
  assert.deepEqual(of('params', 'all', 'times'), {
    description: 'how often',
    anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^\\$\\{[^}]+\\}$' }],
  })
  assert.match(String(of('params', 'all').description), /its parameters of one/)
  assert.match(String(of('params', 'more', 'limit').description), /seconds[^]*`timeout` of many/)
  assert.match(JSON.stringify(of('params', 'more', 'times')), /"items":.*"integer"/)

  place.write('stages/one.ts', STAGE(", word: { type: 'string' }"))
  const again = await place.run('run')
  assert.match(again.out, /^wrote {4}pipeline\.schema\.json$/m)
  assert.deepEqual(of('params', 'all', 'word'), { type: 'string' })
  assert.doesNotMatch((await place.run('run', '--force')).out, /wrote/, 'the same text is not written again')

  place.write('stages/one.ts', STAGE(", other: { type: 'string' }"))
  place.write('pipeline.yaml', OWN.replace('times: 2 }', 'othr: a }'))
  assert.equal((await place.run('run')).code, 2)
  assert.deepEqual(of('params', 'all', 'other'), { type: 'string' }, 'a run that is refused, too')
})
