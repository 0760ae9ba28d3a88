import { publishFolder } from '../data/publish.ts'
import { pickModel } from '../data/sources.ts'
import { exportModel } from '../export/model.ts'
import { answer } from '../util/answer.ts'
import type { ExportedFile, ExportFormat, Provenance } from '../util/export.ts'
import { fetchModel } from './fetch-model.ts'

/** SOURCE FOLDER FORMAT PROVENANCE: the files of a new folder that holds the model. */
const [source, folder, format, provenance] = process.argv.slice(2) as [string, string, ExportFormat, string]
await answer(async () => {
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
