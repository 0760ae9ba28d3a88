// npm run docs: writes the pages of docs/ that are made from the code. test/docs/docs.test.ts holds them equal.
import { writeFileSync } from 'node:fs'
import { pages } from './docs/pages.ts'

for (const [file, text] of Object.entries(await pages())) writeFileSync(file, text)
