import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'

const root = join(import.meta.dirname, '..')

it('README links to files that are there', () => {
  const links = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/\]\((?!https?:)([^)\s#]+)/g)]
  const files = links.map(([, file]) => file!)
  assert.ok(files.length > 10)
  assert.deepEqual(
    files.filter((file) => !existsSync(join(root, file))),
    [],
  )
})
