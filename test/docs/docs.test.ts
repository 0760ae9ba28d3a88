import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { pages } from './pages.ts'

it('the pages of docs/ say what the code says (npm run docs writes them)', async () => {
  for (const [file, text] of Object.entries(await pages())) assert.equal(readFileSync(file, 'utf8'), text, file)
})
