import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import type { Explanation } from '../../lib/util/codes/explanation.ts'
import { codes } from '../../lib/util/codes/index.ts'

const root = join(import.meta.dirname, '../..')

/** Made of two parts where they are used: `${site.code}_BUSY`. */
const isComposed = (code: string): boolean => /^(HUB|WEB)_/.test(code)

it('explains no code that nothing says any more', () => {
  const sources = ['lib', 'stages']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    ) // prettier-ignore
    .filter((name) => name.endsWith('.ts') && !name.includes('util/codes'))
    .map((name) => readFileSync(join(root, name), 'utf8'))
    .join('\n')
  const dead = Object.keys(codes).filter((code) => !isComposed(code) && !sources.includes(`'${code}'`))
  assert.deepEqual(dead, [])
})

it('says of every code what it means, what usually causes it, and what to do', () => {
  const lacking = Object.entries<Explanation>(codes).filter(([, { means, cause, advice }]) => {
    const isSentence = (text: string): boolean => /[A-Za-z]{3,}/.test(text) && /[.!]$/.test(text)
    return ![means, cause, advice].every(isSentence) || new Set([means, cause, advice]).size < 3
  })
  assert.deepEqual(
    lacking.map(([code]) => code),
    [],
  )
})
