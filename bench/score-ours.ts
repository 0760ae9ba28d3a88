import { readItems } from '../lib/data/tasks.ts'
import { loadTokenizer } from '../lib/data/tokenizer.ts'
import { openEngine } from '../lib/engine/index.ts'
import { hold } from '../lib/model/likelihood.ts'
import { scoreItems } from '../lib/model/score.ts'
import { loadModel } from '../lib/model/weights.ts'

/** Our side of the bench "score": answers as its peers do. */
const [folder = '', threads = '', file = '', convention = 'plain', count = ''] = process.argv.slice(2)
const engine = await openEngine({ name: 'auto', threads: Number(threads) })
const model = hold(engine, await loadModel(folder))
const tokenizer = await loadTokenizer(folder)
const started = performance.now()
const options = { convention: convention as 'plain' | 'harness', batch: 8 }
const items = readItems(file, 'hellaswag', options.convention)
if (!items.ok) throw items.error
const hooks = { signal: new AbortController().signal, onProgress: () => undefined }
const { scores } = await scoreItems(model, tokenizer, items.value.slice(0, Number(count)), options, hooks)
const seconds = (performance.now() - started) / 1000
const logProbs = scores.results.map((result) => result.logProbs)
console.log(JSON.stringify({ seconds, peak: process.resourceUsage().maxRSS * 1024, version: engine.device, logProbs }))
