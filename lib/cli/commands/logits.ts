import { Failure } from '../../util/failure.ts'
import { modelSource } from '../model.ts'
import { write, writePart } from '../output.ts'
import { askTool } from '../tool.ts'

export interface LogitsArguments {
  readonly ids: string
  readonly engine: string
  readonly json?: boolean
}

/** `pipeline logits MODEL --ids 1,2,3`: what the model says may follow each token, a row of logits a token. */
export async function logits(model: string, { ids, engine, json }: LogitsArguments): Promise<number> {
  const numbers = parseIds(ids)
  const asked = (onRow: (row: number[]) => Promise<void>) =>
    askTool('logits', [modelSource(model), JSON.stringify(numbers), engine], {
      onPart: (part) => onRow(floatsOf(part as string)),
    })
  if (json === true) {
    // all rows in one text would be longer than a text can be
    let before = '{"logits":['
    await asked(async (row) => {
      await writePart(before + JSON.stringify(row))
      before = ','
    })
    write(']}')
  } else await asked((row) => writePart(`${row.join('\t')}\n`))
  return 0
}

/** The 32-bit floats whose bytes these are. */
function floatsOf(base64: string): number[] {
  const bytes = Buffer.from(base64, 'base64')
  return [...new Float32Array(Uint8Array.from(bytes).buffer)]
}

function parseIds(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim())
  const wrong = parts.find((part) => !/^\d{1,9}$/.test(part))
  if (wrong === undefined) return parts.map(Number)
  throw new Failure('IDS_INVALID', `--ids: "${wrong}" is no token id. Give whole numbers apart by commas: --ids 1,2,3.`)
}
