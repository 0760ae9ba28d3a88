import { modelSource } from '../model.ts'
import { write, writeJson } from '../output.ts'
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

/** `pipeline generate MODEL PROMPT`: continues a text. */
export async function generate(model: string, prompt: string, options: GenerateArguments): Promise<number> {
  const { engine, json, ...wanted } = options
  const text = (await askTool('generate', [modelSource(model), prompt, JSON.stringify(wanted), engine])) as string
  if (json === true) writeJson({ text })
  else write(text)
  return 0
}
