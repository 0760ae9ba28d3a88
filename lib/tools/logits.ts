import { logitsOf } from '../model/logits.ts'
import { answer } from '../util/answer.ts'
import { useModel } from './use-model.ts'

/** SOURCE IDS ENGINE: a row of logits a token. */
const [source, ids, engine] = process.argv.slice(2) as [string, string, string]
await answer(() =>
  useModel(source, engine, async (model) => {
    const rows = await logitsOf(model, JSON.parse(ids) as number[])
    return rows.map((row) => Array.from(row))
  }),
)
