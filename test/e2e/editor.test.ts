import assert from 'node:assert/strict'
import { it } from 'node:test'
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
      
    timout: 3
  own:
    run: stages/mine.ts
    with: { anything: 1 }
    
`
const line = (text: string): number => TEXT.split('\n').indexOf(text)

it('a YAML language server completes, explains and checks pipeline.yaml by pipeline.schema.json', async (t) => {
  const editor = new LanguageServer(t, process.cwd())
  await editor.open(TEXT)
  const found = (await editor.diagnostics).map(({ range, message }) => [range.start.line, message])
  assert.deepEqual(found, [[line('    timout: 3'), 'Property timout is not allowed.']])

  const keys = await editor.completions({ line: line('    '), character: 4 })
  for (const key of ['in', 'out', 'matrix', 'retries'])
    assert.ok(keys.includes(key), `a stage completes "${key}": ${keys.join()}`)

  const parameters = await editor.completions({ line: line('      '), character: 6 })
  for (const name of ['loss', 'rate', 'epochs']) assert.ok(parameters.includes(name), `with: completes "${name}"`)
  assert.ok(!parameters.includes('temperature'), 'it is there already')

  const hover = await editor.hover({ line: line('      temperature: 2'), character: 9 })
  assert.match(hover, /divides the logits of both/)
})
