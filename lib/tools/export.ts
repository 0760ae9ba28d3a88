import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { publishFolder } from '../data/publish.ts'
import { pickModel } from '../data/sources.ts'
import { exportModel } from '../export/model.ts'
import { answer } from '../util/answer.ts'
import type { ExportedFile, ExportFormat, Provenance } from '../util/export.ts'
import { Failure } from '../util/failure.ts'
import { isRemote } from '../util/remote.ts'
import { fetchModel } from './fetch-model.ts'

/** SOURCE FOLDER FORMAT PROVENANCE: the files of a new folder that holds the model. */
const [source, folder, format, provenance] = process.argv.slice(2) as [string, string, ExportFormat, string]
await answer(async () => {
  if (!isRemote(source)) checkOutside(folder, source)
  let files: readonly ExportedFile[] = []
  await publishFolder(folder, async (draft) => {
    // the card that the model came with names its license
    const from = await fetchModel(source, (paths) => [
      ...pickModel(paths),
      ...paths.filter((one) => one === 'README.md'),
    ])
    files = await exportModel(from, draft, format, JSON.parse(provenance) as Provenance)
  })
  return files
})

/** Throws Failure FOLDER_INSIDE: a result in the store, and a built-in model, must stay as they are. */
function checkOutside(folder: string, model: string): void {
  if (!withoutLinks(folder).startsWith(withoutLinks(model) + sep)) return
  const message = `"${folder}" would lie in the folder of the model, "${model}", and so change it. Name a folder elsewhere.`
  throw new Failure('FOLDER_INSIDE', message)
}

/** Of a path whose end may not be there yet. */
function withoutLinks(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(withoutLinks(dirname(path)), basename(path))
}
