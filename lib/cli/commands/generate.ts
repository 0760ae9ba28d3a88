import { modelSource } from '../model.ts'
import { write, writeJson, writePart } from '../output.ts'
import { askTool } from '../tool.ts'

export interface GenerateArguments {
  readonly tokens: number
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly seed: number
  readonly engine: string
  readonly json?: boolean
}

/** `pipeline generate MODEL PROMPT`: continues a text, which is printed as it comes; JSON has it whole. */
export async function generate(model: string, prompt: string, options: GenerateArguments): Promise<number> {
  const { engine, json, ...wanted } = options
  const args = [modelSource(model), prompt, JSON.stringify(wanted), engine]
  if (json === true) writeJson(await askTool('generate', args))
  else {
    await askTool('generate', args, { onPart: (text) => writePart(text as string) })
    write('')
  }
  return 0
}
