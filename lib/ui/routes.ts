import { closeSync, createReadStream, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readExperiment, readListed } from '../pipeline/experiment.ts'
import type { ListedExperiment } from '../pipeline/experiment.ts'
import { Failure } from '../util/failure.ts'
import type { Answer } from './answer.ts'
import { json, nothing, refused, refusedBy, words } from './answer.ts'
import { readCurves, sparkOf } from './curves.ts'
import { detailsOf, differencesOf } from './details.ts'
import { planAnswer } from './plan.ts'
import type { Load } from './plan.ts'
import type { ResolveRevisions } from '../pipeline/revisions.ts'
import type { Records } from './records.ts'
import { artifactFile, artifactsOfResult, readLog, resultLog, samplesOf } from './results.ts'
import { isRun } from './runs.ts'
import type { Runs } from './runs.ts'
import { tableOf } from './table.ts'

export interface Served {
  readonly root: string
  readonly records: Records
  readonly runs: Runs
  readonly load: Load
  readonly resolveRevisions: ResolveRevisions
  /** Runs what `load` gives. */
  readonly command: string
}

type Route = (served: Served, query: URLSearchParams) => Answer | Promise<Answer>

/** What may be asked for, all of it by GET and none of it changing anything. */
export const ROUTES: Readonly<Record<string, Route>> = {
  '/api/experiments': experiments,
  '/api/experiment': async (served, query) => forOne(served, query, async (found) => json(await detailsOf(found))),
  '/api/curves': (served, query) => forEach(served, query, readCurves),
  '/api/sparks': (served, query) => forEach(served, query, sparkOf),
  '/api/samples': (served, query) =>
    forOne(served, query, async ({ record }) => json(await samplesOf(served.root, record))),
  '/api/differences': differences,
  '/api/artifacts': ({ root }, query) => json(artifactsOfResult(root, text(query, 'stage'), text(query, 'key'))),
  '/api/artifact': artifact,
  '/api/log': log,
  '/api/plan': plan,
  '/report': (served, query) => forOne(served, query, report),
}

const text = (query: URLSearchParams, name: string): string => query.get(name) ?? ''
const list = (query: URLSearchParams, name: string): string[] => text(query, name).split(',').filter(Boolean)

const PATIENCE_MS = 400

async function experiments({ records }: Served, query: URLSearchParams): Promise<Answer> {
  // the first reading may take long: who asks is told how far it is
  await Promise.race([records.refresh(), delay(PATIENCE_MS, undefined, { ref: false })])
  if (records.reading) return json({ reading: records.reading })
  const named = { sort: text(query, 'sort'), text: text(query, 'text'), hashes: list(query, 'hashes') }
  const columns = query.has('columns') ? list(query, 'columns') : undefined
  try {
    return json(tableOf(records, { ...named, where: query.getAll('where'), columns }))
  } catch (error) {
    return refusedBy(error)
  }
}

async function forOne(
  { root }: Served,
  query: URLSearchParams,
  answer: (found: ListedExperiment) => Answer | Promise<Answer>,
): Promise<Answer> {
  const hash = text(query, 'hash')
  const whole = /^[0-9a-f]{64}$/.test(hash) ? readListed(root, hash) : undefined
  if (whole !== undefined) return answer(whole)
  const found = readExperiment(root, hash)
  return found.ok ? answer(found.value) : refused([found.error])
}

/** By hash; those that are gone are left out. */
function forEach({ root }: Served, query: URLSearchParams, of: (found: ListedExperiment) => unknown): Answer {
  const found = list(query, 'hashes')
    .filter((hash) => /^[0-9a-f]{64}$/.test(hash))
    .flatMap((hash) => readListed(root, hash) ?? [])
  return json(Object.fromEntries(found.map((one) => [one.record.hash, of(one)])))
}

function differences({ root }: Served, query: URLSearchParams): Answer {
  const found = list(query, 'hashes').map((hash) => readExperiment(root, hash))
  const failures = found.flatMap((one) => (one.ok ? [] : [one.error]))
  if (failures.length > 0) return refused(failures)
  const records = found.flatMap((one) => (one.ok ? [one.value.record] : []))
  return records.length < 2 ? nothing('Two experiments or more are needed.') : json(differencesOf(root, records))
}

/** Shown as text whatever it is: what a stage wrote must not run in this page's origin. */
function artifact({ root }: Served, query: URLSearchParams): Answer {
  const path = text(query, 'path')
  const file = artifactFile(root, text(query, 'stage'), text(query, 'key'), path)
  if (file === undefined) return nothing(`There is no file "${path}" in this result.`)
  if (!query.has('download')) return { ...words(''), body: firstPart(file) }
  const name = encodeURIComponent(basename(path))
  const headers = {
    'content-disposition': `attachment; filename*=UTF-8''${name}`,
    'content-length': String(statSync(file).size),
  }
  return { status: 200, type: 'application/octet-stream', body: createReadStream(file), headers }
}

/** Of a large file a look shows the beginning. */
const MOST_SHOWN = 256 * 1024

function firstPart(file: string): Uint8Array {
  const fd = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(MOST_SHOWN)
    return bytes.subarray(0, readSync(fd, bytes, 0, MOST_SHOWN, 0))
  } finally {
    closeSync(fd)
  }
}

function log({ root, runs }: Served, query: URLSearchParams): Answer {
  const run = text(query, 'run')
  const stage = text(query, 'stage')
  const file = isRun(run) ? runs.log(run, stage) : resultLog(root, stage, text(query, 'key'))
  const part = file === undefined ? undefined : readLog(file, Number(text(query, 'from')) || 0)
  return json(part ?? null)
}

async function plan({ load, resolveRevisions, command }: Served): Promise<Answer> {
  try {
    const planned = await planAnswer(load, resolveRevisions)
    return planned.ok ? json({ ...planned.value, command }) : refused(planned.error)
  } catch (error) {
    return refusedBy(error)
  }
}

/** A page of its own without scripts, whatever stands in it. */
function report({ page, record }: ListedExperiment): Answer {
  if (page === null)
    return refused([new Failure('REPORT_MISSING', `Experiment ${record.hash.slice(0, 16)} has no page here.`)])
  const policy =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox allow-popups; frame-ancestors 'none'"
  return {
    status: 200,
    type: 'text/html; charset=utf-8',
    body: readFileSync(page),
    headers: { 'content-security-policy': policy },
  }
}
