import { relative } from 'node:path'
import { pinExperiment } from '../../pipeline/pin.ts'
import { write, writeFailures, writeJson } from '../output.ts'

/** `pipeline pin HASH`: keeps an experiment. */
export async function pin(hash: string, options: { json?: boolean }): Promise<number> {
  const pinned = await pinExperiment(process.cwd(), hash)
  if (!pinned.ok) {
    writeFailures([pinned.error], options.json === true)
    return pinned.error.exitCode
  }
  const { folder, inGit } = pinned.value
  if (options.json === true) writeJson(pinned.value)
  else
    write(
      `${relative(process.cwd(), folder)}${inGit ? ' is added to git; commit it to keep it' : ' holds its record and code; there is no git here'}`,
    )
  return 0
}
