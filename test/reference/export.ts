// FOLDER: exports four models into it by the real command; each has beside it, in expected.json, the tokens of texts as our
// tokenizer has them, and what `pipeline logits` says of a row of tokens. check_export.py and check_llama.py compare.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { initialise, saveModel } from '../../lib/model/weights.ts'
import type { ExportFormat } from '../../lib/util/export.ts'
import { Random } from '../../lib/util/random.ts'

interface Case {
  /** As the command takes it. */
  readonly model: string
  /** Of its tokenizer. */
  readonly folder: string
  readonly formats: readonly ExportFormat[]
  /** The first is the row of tokens. */
  readonly texts: readonly string[]
}

const ROOT = join(import.meta.dirname, '../..')
const fixtures = join(ROOT, 'test/fixtures')
const bpe = join(fixtures, 'harness/model')
const out = process.argv[2]!

const stories = readFileSync(join(ROOT, 'lib/data/builtin/world/test.txt'), 'utf8').split('\n').slice(0, 100)
const awkward = JSON.parse(readFileSync(join(fixtures, 'data/byte-level/expected.json'), 'utf8')) as { text: string }[]
const texts = ["It isn't 1,234 hens\n\n  but one: é, 日本, 🦙.<|endoftext|>", ...awkward.map(({ text }) => text)]
const builtin = (name: string): Case => {
  const folder = join(ROOT, 'lib/data/builtin', name)
  return { model: `builtin:${name}`, folder, formats: ['safetensors'], texts: stories }
}
const ofFolder = (folder: string): Case => ({
  model: `file:${folder}`,
  folder,
  formats: ['safetensors', 'gguf'],
  texts,
})

const cases: Readonly<Record<string, Case>> = {
  student: builtin('student'),
  teacher: builtin('teacher'),
  tied: ofFolder(bpe),
  untied: ofFolder(writeUntied(join(out, 'untied', 'model'))),
}
for (const [name, one] of Object.entries(cases)) await exportCase(join(out, name), one)

async function exportCase(to: string, { model, folder, formats, texts }: Case): Promise<void> {
  mkdirSync(to, { recursive: true })
  for (const format of formats) pipeline('export', model, '--to', join(to, format), '--format', format)
  const tokenizer = await loadTokenizer(folder)
  const tokens = texts.map((text) => ({ text, ids: tokenizer.encode(text, { special: true }) }))
  const { ids } = tokens[0]!
  const { logits } = JSON.parse(pipeline('logits', model, '--ids', ids.join(), '--json')) as { logits: number[][] }
  writeFileSync(join(to, 'expected.json'), JSON.stringify({ tokens, ids, logits }))
}

/** Nothing hides in it: a head of its own, rows without a token, inner layers of an odd width, no zero bias. */
function writeUntied(folder: string): string {
  const config: GptConfig = {
    ...{ architecture: 'gpt2', vocabSize: 607, context: 96, width: 24, layers: 2, heads: 3, inner: 80, window: 96 },
    ...{ attention: ['global', 'global'], epsilon: 1e-4, tied: false },
  }
  const weights = initialise(config, 3, { deviation: 0.3 })
  for (const [name, { data }] of weights) {
    const random = new Random(4, name)
    for (let i = 0; i < data.length; i++) data[i]! += 0.1 * random.normal()
  }
  saveModel(folder, { config, weights }, { eos: 0 })
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) cpSync(join(bpe, name), join(folder, name))
  return folder
}

function pipeline(...args: string[]): string {
  return execFileSync(process.execPath, [join(ROOT, 'lib/cli/bin.cjs'), ...args], { encoding: 'utf8', maxBuffer: 1e9 })
}
