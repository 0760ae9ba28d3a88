import { resolve } from 'node:path'
import type { ExportedFile, ExportFormat } from '../../util/export.ts'
import { table } from '../format.ts'
import { modelSource } from '../model.ts'
import { write, writeJson } from '../output.ts'
import { provenanceOf } from '../provenance.ts'
import { askTool } from '../tool.ts'

export interface ExportArguments {
  readonly to: string
  readonly format: ExportFormat
  readonly json?: boolean
}

/** `pipeline export MODEL --to DIR`: a folder that other programs load the model from. */
export async function exportModel(model: string, { to, format, json }: ExportArguments): Promise<number> {
  const folder = resolve(to)
  const provenance = JSON.stringify(provenanceOf(model))
  const files = (await askTool('export', [modelSource(model), folder, format, provenance])) as ExportedFile[]
  if (json === true) writeJson({ folder, format, files })
  else write(`${folder}\n${table(files.map(({ path, bytes }) => [path, `${bytes} bytes`]))}`)
  return 0
}
