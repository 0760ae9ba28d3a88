import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeSplit } from '../../lib/data/tokens.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { rowsAtOnce, writeTargets } from '../../lib/model/teacher.ts'
import { openModel } from '../../lib/model/weights.ts'
import { writeRandomModel } from '../random-model.ts'
import { openNamed } from './engine.ts'
import { deviceMemory, say, sayMemory } from './measured.ts'

/**
 * teacher-ours ENGINE TOKENS LAYERS: targets of GPT-Neo-2.7B's shape (Black et al. 2021), cut to some of its 32 layers, from
 * its files in half precision to the written file.
 */
const [name = '', count = '', layers = ''] = process.argv.slice(2)
const part = 'teacher'
const context = 1024
const config: GptConfig = {
  architecture: 'gpt_neo',
  ...{ vocabSize: 50_257, context: 2048, width: 2560, layers: Number(layers), heads: 20, inner: 10_240, window: 256 },
  ...{ epsilon: 1e-5, tied: true },
  attention: Array.from({ length: Number(layers) }, (_, layer) => (layer % 2 === 0 ? 'global' : 'local')),
}
const folder = mkdtempSync(join(tmpdir(), 'teacher-'))
writeRandomModel(join(folder, 'model'), config, 'F16')
console.log(`${part}: a model of ${layers} layers is written`)
const before = deviceMemory()
const started = performance.now()
const engine = await openNamed(name)
const ids = Uint16Array.from({ length: Number(count) + 1 }, (_, i) => (i * 7919) % config.vocabSize)
const form = { kind: 'hidden', dtype: 'F16', width: config.width } as const
const options = { context, batch: rowsAtOnce(config, context), tokenizerDigest: 'none', form }
const first = { rows: 0, at: 0 }
const onRows = (done: number): void => {
  if (first.at > 0) return
  sayMemory(part, engine.device, before) // later it is free again
  Object.assign(first, { rows: done, at: performance.now() })
}
const hooks = { signal: new AbortController().signal, onRows }
const split = makeSplit(ids, Uint32Array.of(0), 'anywhere')
await writeTargets(join(folder, 'targets'), engine, await openModel(join(folder, 'model')), split, options, hooks)
const [all, afterFirst] = [started, first.at].map((from) => (performance.now() - from) / 1000) as [number, number]
const rate = (Number(count) - first.rows * context) / afterFirst
say({
  part,
  who: engine.device,
  what: `from files to targets for ${count} tokens, ${layers} layers`,
  unit: 's',
  value: all,
})
// the peer has the model on the device before it begins, and writes nothing
say({ part, who: engine.device, what: `teacher of ${layers} layers, once it is there`, unit: 'tokens/s', value: rate })
rmSync(folder, { recursive: true })
process.exit(0) // the driver's threads would hold the process
