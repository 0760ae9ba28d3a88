import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeSplit } from '../lib/data/tokens.ts'
import { openEngine } from '../lib/engine/index.ts'
import { rowsAtOnce, writeTargets } from '../lib/model/teacher.ts'
import { openModel } from '../lib/model/weights.ts'

/** Our side of the bench "teacher": from the files of a model to its targets for some tokens; speaks as its peer does. */
const [folder = '', threads = '', count = '', context = ''] = process.argv.slice(2)
const started = performance.now()
const model = await openModel(folder)
const engine = await openEngine({ name: 'onnx-cpu', threads: Number(threads) })
const { vocabSize } = model.config
const ids = Uint16Array.from({ length: Number(count) + 1 }, (_, i) => (i * 7919) % vocabSize)
const out = mkdtempSync(join(tmpdir(), 'targets-'))
try {
  const batch = rowsAtOnce(model.config, Number(context))
  const form = { kind: 'hidden', dtype: 'F16', width: model.config.width } as const
  const options = { context: Number(context), batch, tokenizerDigest: 'none', form }
  const hooks = { signal: new AbortController().signal, onRows: () => undefined }
  await writeTargets(out, engine, model, makeSplit(ids, Uint32Array.of(0), 'anywhere'), options, hooks)
} finally {
  rmSync(out, { recursive: true })
}
const seconds = (performance.now() - started) / 1000
console.log(JSON.stringify({ seconds, peak: process.resourceUsage().maxRSS * 1024, version: engine.device }))
