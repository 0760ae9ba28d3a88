import { fetchSettings } from '../data/fetch/settings.ts'
import { commitOf } from '../data/hub/revision.ts'
import { answer, attempt } from '../util/answer.ts'

/** SOURCES REMEMBER: for each `hub:` source the commit of its revision, or why it is not known. */
const [sources, remember] = process.argv.slice(2) as [string, 'yes' | 'no']
await answer(() =>
  Promise.all(
    (JSON.parse(sources) as string[]).map((source) =>
      attempt(() => commitOf(source, remember === 'yes', fetchSettings())),
    ),
  ),
)
