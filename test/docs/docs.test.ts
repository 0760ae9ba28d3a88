import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { it } from 'node:test'
import { readWritten } from '../../lib/pipeline/config.ts'
import { editorSchema } from '../../lib/pipeline/editor-schema.ts'
import { stageSchemas } from '../../lib/pipeline/stage-schemas.ts'
import { pages } from './pages.ts'

it('the pages of docs/ say what the code says (npm run docs writes them)', async () => {
  for (const [file, text] of Object.entries(await pages())) assert.equal(readFileSync(file, 'utf8'), text, file)
})

it('README.md has the picture that `pipeline graph` draws', () => {
  const drawn = execFileSync(process.execPath, ['lib/cli/bin.cjs', 'graph'], { encoding: 'utf8' })
  assert.ok(readFileSync('README.md', 'utf8').includes(`\`\`\`mermaid\n${drawn}\`\`\`\n`), drawn)
})

it('pipeline.schema.json says what the schemas of pipeline.yaml and of all stages say (npm run schema writes it)', async () => {
  const files = readdirSync('stages').map((name) => `stages/${name}`)
  const stages = await stageSchemas(process.cwd(), files.sort())
  const document = readWritten({ file: 'pipeline.yaml', overlays: [], sets: [] })
  assert.ok(stages.ok && document.ok)
  assert.equal(readFileSync('pipeline.schema.json', 'utf8'), editorSchema(stages.value, document.value))
})
