import type { Diagnosis } from '../../util/diagnosis.ts'
import { wordDiagnosis } from '../diagnosis.ts'
import { write, writeJson } from '../output.ts'
import { askTool } from '../tool.ts'

/** `pipeline doctor`: which engines work here, how fast, which one `auto` takes and what would be faster. */
export async function doctor(options: { json?: boolean }): Promise<number> {
  const { isTTY, columns } = process.stderr
  const onPart = (name: unknown): void => {
    if (isTTY && options.json !== true) process.stderr.write(`\r\x1b[Ktrying ${String(name)} …`)
  }
  const diagnosis = (await askTool('doctor', [], { onPart })) as Diagnosis
  if (isTTY && options.json !== true) process.stderr.write('\r\x1b[K')
  if (options.json === true) writeJson(diagnosis)
  else write(wordDiagnosis(diagnosis, process.stdout.columns || columns || Number(process.env.COLUMNS) || 80))
  return 0
}
