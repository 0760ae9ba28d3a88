import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { encodeSplit, writeTokens } from '../../lib/data/tokens.ts'
import type { SplitName } from '../../lib/data/tokens.ts'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import pretrain from '../../stages/pretrain.ts'

const tokenizerFolder = join(import.meta.dirname, '..', 'fixtures', 'harness', 'model')
const folder = mkdtempSync(join(tmpdir(), 'pretrain-'))
after(() => rmSync(folder, { recursive: true }))

it('a GPT-2 whose layers are said to be local is refused before anything is trained', async () => {
  const tokenizer = await loadTokenizer(tokenizerFolder)
  const split = (name: SplitName) => encodeSplit(tokenizer, ['They read it.'], { name, separator: 'eos' })
  const splits = { train: split('train'), validation: split('validation'), test: split('test') }
  const { vocabSize, eos, digest: tokenizerDigest } = tokenizer
  writeTokens(join(folder, 'tokens'), { vocabSize, eos, tokenizerDigest, splits })
  const properties = Object.entries(pretrain.params.properties) as [string, { default?: unknown }][]
  const defaults = Object.fromEntries(properties.map(([name, schema]) => [name, schema.default]))
  const run = (attention: readonly string[]) =>
    pretrain.run({
      with: { ...defaults, architecture: 'gpt2', context: 8, width: 8, layers: 2, heads: 2, attention },
      in: { tokens: join(folder, 'tokens'), tokenizer: tokenizerFolder },
      out: {},
    } as never)
  await assert.rejects(run(['local']), { code: 'ATTENTION_UNUSED', message: /gpt_neo.*Remove it/ })
})
