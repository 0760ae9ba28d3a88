import { createInterface } from 'node:readline'
import { openEngine } from '../lib/engine/index.ts'
import { generate } from '../lib/model/generate.ts'
import { hold } from '../lib/model/likelihood.ts'
import { loadModel } from '../lib/model/weights.ts'
import type { Continuations } from './generate.ts'

/** Our side of the bench "generate": speaks as bench/peers/generate.py does, and takes the same arguments. */
const [threads = '', folder = '', promptTokens = '', newTokens = ''] = process.argv.slice(2)
const engine = await openEngine({ name: 'auto', threads: Number(threads) })
const model = hold(engine, await loadModel(folder))
const { vocabSize } = model.config
const prompt = Array.from({ length: Number(promptTokens) }, (_, n) => (n * 7919) % vocabSize)
const options = { tokens: Number(newTokens), temperature: 0, topK: 0, seed: 0, eos: -1, vocabSize }

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await continuations(Number(line)))}\n`)
}

/** Each with all that a call takes: graphs are compiled anew. */
async function continuations(count: number): Promise<Continuations> {
  const [wall, cpu]: [number[], number[]] = [[], []]
  let tokens: readonly number[] = []
  for (let i = 0; i < count; i++) {
    const [started, busy] = [performance.now(), process.cpuUsage()]
    tokens = (await generate(model, [prompt], options, { signal: new AbortController().signal }))[0]!
    const { user, system } = process.cpuUsage(busy)
    wall.push(performance.now() - started)
    cpu.push((user + system) / 1000)
  }
  return { wall, cpu, tokens, version: engine.device }
}
