import { logitsOf } from '../model/logits.ts'
import { answer, say } from '../util/answer.ts'
import { useModel } from './use-model.ts'

/** SOURCE IDS ENGINE: a part a token, its row of logits as the base64 of its floats: as JSON, a large row takes long. */
const [source, ids, engine] = process.argv.slice(2) as [string, string, string]
await answer(() =>
  useModel(source, engine, async (model) => {
    for (const { buffer, byteOffset, byteLength } of await logitsOf(model, JSON.parse(ids) as number[])) {
      say({ type: 'part', part: Buffer.from(buffer, byteOffset, byteLength).toString('base64') })
    }
    return null
  }),
)
