import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { it } from 'node:test'

const root = join(import.meta.dirname, '..')
const pages = ['.', 'docs'].flatMap((folder) =>
  readdirSync(join(root, folder)).flatMap((name) => (name.endsWith('.md') ? [join(root, folder, name)] : [])),
)

it('README and docs link to files and headings that are there', () => {
  const links = pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link]) => ({ page, link: link! })),
  )
  assert.ok(links.length > 50)
  assert.deepEqual(
    links.filter(({ page, link }) => !leads(page, link)),
    [],
  )
})

function leads(page: string, link: string): boolean {
  const [file = '', heading] = link.split('#')
  const target = file === '' ? page : join(dirname(page), file)
  return existsSync(target) && (heading === undefined || headings(target).includes(heading))
}

/** As GitHub names them: https://github.com/gjtorikian/html-pipeline's table of contents. */
const headings = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map(
    ([, title]) =>
    title!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'), // prettier-ignore
  )
