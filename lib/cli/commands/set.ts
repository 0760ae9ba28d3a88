import { readFileSync, realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadPipeline } from '../../pipeline/config.ts'
import type { ConfigFiles } from '../../pipeline/config.ts'
import { editParameters } from '../../pipeline/edit.ts'
import { writeAtomic } from '../../pipeline/files.ts'
import { planRun } from '../../pipeline/plan.ts'
import type { Plan } from '../../pipeline/plan.ts'
import type { Failure } from '../../util/failure.ts'
import type { Result } from '../../util/result.ts'
import { table } from '../format.ts'
import { exitCodeOf, write, writeError, writeFailures, writeJson } from '../output.ts'
import { planJson, stateLines } from '../plan.ts'
import { revisionsOf } from '../revisions.ts'
import { placeName, wordFailure } from '../words.ts'

export interface SetArguments {
  readonly recipe?: string
  readonly json?: boolean
}

/** `pipeline set a.b=c …`: writes parameters into the file, if `run` would take them. Exit code 0, or 2 with nothing written. */
export async function set(settings: readonly string[], { recipe, json = false }: SetArguments): Promise<number> {
  const file = recipe ?? 'pipeline.yaml'
  const files = { file: 'pipeline.yaml', overlays: recipe === undefined ? [] : [recipe], sets: [] }
  const before = await readText(file, files)
  const edited = before.ok ? editParameters(file, before.value.text, settings) : before
  if (!edited.ok) return refuse(edited.error, json)
  const { text, edits } = edited.value
  const plan = await planOf({ ...files, texts: new Map([[resolve(file), text]]) })
  // a hub that does not answer is no mistake of the value's
  if (!plan.ok && exitCodeOf(plan.error) === 2) return refuse(plan.error, json)
  if (before.ok && edits.length > 0) writeLike(file, before.value.mark + text)
  for (const notice of plan.ok ? plan.value.notices : []) writeError(wordFailure(notice, 'warning'))
  if (json) writeJson({ type: 'set', edits, plan: plan.ok ? planJson(plan.value) : null })
  else {
    write(edits.length === 0 ? 'nothing changed: the values are there already' : wordEdits(edits))
    if (plan.ok) write(stateLines(plan.value))
    else for (const failure of plan.error) writeError(wordFailure(failure, 'warning'))
  }
  return 0
}

function refuse(failures: readonly Failure[], json: boolean): number {
  writeFailures(failures, json)
  return exitCodeOf(failures)
}

/** The text, and the byte order mark before it, if there is one. A file that cannot be read is worded as by `run`. */
async function readText(
  file: string,
  files: ConfigFiles,
): Promise<Result<{ readonly text: string; readonly mark: string }, Failure[]>> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file))
    const mark = text.startsWith('\uFEFF') ? '\uFEFF' : ''
    return { ok: true, value: { text: text.slice(mark.length), mark } }
  } catch (error) {
    const loaded = await loadPipeline(files)
    if (loaded.ok) throw error
    return loaded
  }
}

async function planOf(files: ConfigFiles): Promise<Result<Plan, Failure[]>> {
  const loaded = await loadPipeline(files)
  return loaded.ok ? planRun(loaded.value, { resolveRevisions: revisionsOf('no') }) : loaded
}

/** In one step, where links lead to, with the mode that it had. */
function writeLike(file: string, text: string): void {
  const real = realpathSync(file)
  writeAtomic(real, text, true, statSync(real).mode & 0o7777)
}

type Edits = Extract<ReturnType<typeof editParameters>, { ok: true }>['value']['edits']

const wordEdits = (edits: Edits): string =>
  table(edits.map(({ name, from, to, place }) => [placeName(place), name, `${from} → ${to}`]))
