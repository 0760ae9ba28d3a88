import { availableParallelism } from 'node:os'
import { openEngine } from '../engine/index.ts'
import { hold } from '../model/likelihood.ts'
import { logitsOf } from '../model/logits.ts'
import { loadModel } from '../model/weights.ts'
import { answer } from './answer.ts'

/** FOLDER IDS ENGINE: a row of logits a token. */
const [folder, ids, name] = process.argv.slice(2) as [string, string, string]
await answer(async () => {
  const model = await loadModel(folder)
  const engine = await openEngine({ name, threads: availableParallelism() })
  try {
    const rows = await logitsOf(hold(engine, model), JSON.parse(ids) as number[])
    return rows.map((row) => Array.from(row))
  } finally {
    await engine.dispose()
  }
})
