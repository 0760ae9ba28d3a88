import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { ExperimentRecord } from '../../lib/pipeline/experiment.ts'
import { HubServer, diskFile } from '../data/hub-server.ts'
import type { Content } from '../data/hub-server.ts'
import type { Line, Place } from './command.ts'
import { makeProject } from './project.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const parquet = join(ROOT, 'test', 'fixtures', 'data', 'parquet')

/** What the recipe for the real pair downloads. */
export const sources = {
  teacher: 'hub:EleutherAI/gpt-neo-2.7B@e24fa291132763e59f4a5422741b424fb5d59056',
  student: 'hub:openai-community/gpt2@607a30d783dfa663caf39e06633721c8d4cfcd7e',
  corpus: 'hub:datasets/Salesforce/wikitext@b08601e04326c79dfdd32d625aee71d232d685c3',
  tasks: 'hub:datasets/Rowan/hellaswag@218ec52e09a7e7462a5400043bb9a69a41d06b76',
}

/**
 * The project as it is cloned, and a hub on this machine that has the repositories of the recipe for the real pair: two
 * model folders in the place of the models, a few lines and two items in that of the data.
 */
export async function startRealPair(
  context: TestContext,
  { teacher, student }: { readonly teacher: string; readonly student: string },
): Promise<{ readonly place: Place; readonly server: HubServer }> {
  const place = makeProject(context)
  const names = ['lines.parquet', 'items.parquet', 'openbookqa.parquet']
  const [lines, items, questions] = names.map((name) => readFileSync(join(parquet, name)))
  const server = new HubServer({
    'models/EleutherAI/gpt-neo-2.7B': await contentOf(teacher),
    'models/openai-community/gpt2': await contentOf(student),
    'datasets/Salesforce/wikitext': Object.fromEntries(
      ['train', 'validation', 'test'].map((split) => [`wikitext-2-raw-v1/${split}-00000-of-00001.parquet`, lines!]),
    ),
    'datasets/Rowan/hellaswag': {
      'data/train-00000-of-00001.parquet': items!,
      'data/validation-00000-of-00001.parquet': items!,
    },
    'datasets/allenai/openbookqa': Object.fromEntries(
      ['train', 'validation', 'test'].map((split) => [`main/${split}-00000-of-00001.parquet`, questions!]),
    ),
  })
  await server.start()
  context.after(() => server.stop())
  const home = join(place.root, 'cache')
  Object.assign(place.env, { HF_ENDPOINT: server.endpoint, HF_HUB_OFFLINE: '0' })
  Object.assign(place.env, { HF_HOME: home, HF_HUB_CACHE: join(home, 'hub') })
  return { place, server }
}

async function contentOf(folder: string): Promise<Record<string, Content>> {
  const content: Record<string, Content> = {}
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    content[name] = name.endsWith('.safetensors') ? await diskFile(path) : readFileSync(path)
  }
  return content
}

/** What a run left of its experiment. */
export function readExperiment(place: Place, last: Line): { readonly record: ExperimentRecord; readonly page: string } {
  const folder = join('artifacts', 'experiments', last.experiment as string)
  const record = JSON.parse(place.read(join(folder, 'record.json'))) as ExperimentRecord
  return { record, page: place.read(join(folder, 'report.html')) }
}

/** The sources of a record's download stage, by input. */
export const sourcesOf = ({ resolved }: ExperimentRecord): unknown =>
  (resolved as { stages: { download: { in: unknown } } }).stages.download.in
