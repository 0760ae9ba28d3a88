import { Failure } from '../../util/failure.ts'
import { modelSource } from '../model.ts'
import { write, writeJson } from '../output.ts'
import { askTool } from '../tool.ts'

export interface LogitsArguments {
  readonly ids: string
  readonly engine: string
  readonly json?: boolean
}

/** `pipeline logits MODEL --ids 1,2,3`: what the model says may follow each token, a row of logits a token. */
export async function logits(model: string, { ids, engine, json }: LogitsArguments): Promise<number> {
  const numbers = parseIds(ids)
  const rows = (await askTool('logits', [modelSource(model), JSON.stringify(numbers), engine])) as number[][]
  if (json === true) writeJson({ logits: rows })
  else for (const row of rows) write(row.map((logit) => String(logit)).join('\t'))
  return 0
}

function parseIds(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim())
  const wrong = parts.find((part) => !/^\d{1,9}$/.test(part))
  if (wrong === undefined) return parts.map(Number)
  throw new Failure('IDS_INVALID', `--ids: "${wrong}" is no token id. Give whole numbers apart by commas: --ids 1,2,3.`)
}
