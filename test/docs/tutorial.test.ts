import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { makeProject } from '../e2e/project.ts'

/** `sh` is run in one folder, block after block; each line of the `text` after it must be in its output, in that order. */
interface Block {
  readonly sh: string
  readonly text: readonly string[]
}

function blocksOf(page: string): Block[] {
  const blocks: { sh: string; text: readonly string[] }[] = []
  for (const [, kind, body] of page.matchAll(/^```(sh|text)\n([^]*?)^```$/gm)) {
    if (kind === 'sh') blocks.push({ sh: body!, text: [] })
    else blocks.at(-1)!.text = body!.trimEnd().split('\n')
  }
  return blocks
}

/** "…" stands for any characters. */
const patternOf = (line: string): RegExp =>
  new RegExp(line.split('…').map((part) => part.trim().replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replace(/ +/g, ' +')).join('.*')) // prettier-ignore

it('docs/tutorial.md does what it says', { timeout: 600_000 }, (t) => {
  const place = makeProject(t)
  const blocks = blocksOf(readFileSync('docs/tutorial.md', 'utf8'))
  assert.ok(blocks.length >= 10)
  for (const { sh, text } of blocks) {
    // what npx does here, without the second that it takes
    const script = `set -euo pipefail\nnpx() { shift; ${process.execPath} lib/cli/bin.cjs "$@"; }\n${sh}`
    const { stdout, stderr, status } = spawnSync('bash', ['-c', script], { cwd: place.root, encoding: 'utf8' })
    assert.equal(status, 0, `${sh}\n${stdout}\n${stderr}`)
    let rest = stdout.split('\n')
    for (const line of text) {
      const at = rest.findIndex((one) => patternOf(line).test(one))
      assert.ok(at >= 0, `"${line}" is not in the output of\n${sh}\n${stdout}`)
      rest = rest.slice(at + 1)
    }
  }
})
