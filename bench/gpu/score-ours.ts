import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readItems } from '../../lib/data/tasks.ts'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { scoreItems } from '../../lib/model/score.ts'
import { initialise, loadModel, saveModel } from '../../lib/model/weights.ts'
import { openNamed } from './engine.ts'
import { gpt2 } from './gpt2.ts'
import { deviceMemory, say, sayMemory } from './measured.ts'

/** score-ours ENGINE FOLDER ITEMS COUNT: FOLDER has GPT-2's tokenizer, and gets a GPT-2 124M of random weights. */
const [name = '', folder = '', file = '', count = ''] = process.argv.slice(2)
const part = 'score'
if (!existsSync(join(folder, 'model.safetensors'))) {
  saveModel(folder, { config: gpt2, weights: initialise(gpt2, 0) }, { eos: gpt2.vocabSize - 1 })
}
if (name === 'none') process.exit(0) // the model alone was asked for
const before = deviceMemory()
const engine = await openNamed(name)
const model = hold(engine, await loadModel(folder))
const tokenizer = await loadTokenizer(folder)
const items = readItems(file, 'hellaswag', 'plain')
if (!items.ok) throw items.error
const hooks = { signal: new AbortController().signal, onProgress: () => undefined }
for (const turn of ['the first time', 'again']) {
  const started = performance.now()
  const options = { convention: 'plain' as const, batch: 32 }
  const { scores } = await scoreItems(model, tokenizer, items.value.slice(0, Number(count)), options, hooks)
  const seconds = (performance.now() - started) / 1000
  const total = scores.results.flatMap(({ logProbs }) => logProbs).reduce((sum, one) => sum + one, 0)
  if (turn === 'again') {
    say({ part, who: engine.device, what: 'all log-probabilities', unit: 'nats', value: total })
    say({ part, who: engine.device, what: 'HellaSwag', unit: 'items/s', value: Number(count) / seconds })
  } else say({ part, who: engine.device, what: `${count} items ${turn}`, unit: 's', value: seconds })
}
sayMemory(part, engine.device, before)
process.exit(0) // the driver's threads would hold the process
