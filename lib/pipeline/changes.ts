import type { Place } from '../util/failure.ts'
import type { Json, JsonObject } from '../util/json.ts'
import { canonical } from './canonical.ts'
import { placeOf } from './check-module.ts'
import type { Digest } from './canonical.ts'
import type { InputIdentity } from './key.ts'
import type { Manifest } from './manifest.ts'
import type { ArgumentPart, Program, Stage } from './pipeline.ts'
import type { PartialRecord } from './prepare.ts'

/** One difference between what a result was made from and what it would be made from now. */
export interface Change {
  /** `distill.temperature`, a source file, `in.corpus`, `package yaml`, `env.SEED`. */
  readonly field: string
  /** For people: JSON, or the first digits of a digest; `(none)` where there was nothing. */
  readonly from: string
  readonly to: string
  readonly place?: Place
}

/** Differences field by field, inputs that are not known yet left out. Empty: only what is unknown can differ. */
export function changesSince(
  stage: Stage,
  record: PartialRecord,
  sources: Readonly<Record<string, Digest>>,
  before: Manifest,
): Change[] {
  const { record: old } = before
  return [
    ...changed('key format', old.schema, record.schema),
    ...codeChanges(stage, record.code, sources, before),
    ...parameterChanges(stage, [], old.with, record.with),
    ...inputChanges(stage, old.in, record.in),
    ...keys(old.out, record.out).flatMap((name) => changed(`out.${name}`, old.out[name], record.out[name])),
    ...keys(old.env, record.env).flatMap((name) =>
      changed(`env.${name}`, short(old.env[name]), short(record.env[name])),
    ),
    ...keys(old.packages, record.packages).flatMap((name) =>
      packageChanges(name, old.packages[name], record.packages[name]),
    ),
  ]
}

function codeChanges(stage: Stage, to: Digest, now: Readonly<Record<string, Digest>>, before: Manifest): Change[] {
  const from = before.record.code
  if (from === to) return []
  const { command } = commandOf(stage.program)
  const found =
    command !== undefined && before.command !== undefined
      ? commandChanges(stage, before.command, command)
      : keys(before.sources, now).flatMap((file) => changed(file, short(before.sources[file]), short(now[file])))
  return found.length > 0 ? found : changed('code', short(from), short(to), placeOf(stage, 'cmd'))
}

/** Argument by argument, where none was added or taken away. */
function commandChanges(stage: Stage, from: readonly string[], to: readonly string[]): Change[] {
  const place = placeOf(stage, 'cmd')
  if (from.length !== to.length) return changed(`${stage.name}.cmd`, from, to, place)
  return to.flatMap((argument, index) => changed(`${stage.name}.cmd.${index}`, from[index], argument, place))
}

/** A program's arguments as they were written, values of `with` in place; empty for a module. */
export function commandOf(program: Program): Pick<Manifest, 'command'> {
  if (program.kind === 'module') return {}
  return { command: program.argv.map((parts) => parts.map(written).join('')) }
}

function written(part: ArgumentPart): string {
  switch (part.kind) {
    case 'text':
      return part.text
    case 'in':
    case 'out':
      return `\${${part.kind}.${part.name}}`
    case 'with':
      return typeof part.value === 'string' ? part.value : JSON.stringify(part.value)
  }
}

function parameterChanges(
  stage: Stage,
  path: readonly string[],
  from: Json | undefined,
  to: Json | undefined,
): Change[] {
  if (isObject(from) && isObject(to)) {
    return keys(from, to).flatMap((key) => parameterChanges(stage, [...path, key], from[key], to[key]))
  }
  return changed([stage.name, ...path].join('.'), from, to, placeOf(stage, ['with', ...path].join('.')))
}

function inputChanges(
  stage: Stage,
  from: Readonly<Record<string, InputIdentity>>,
  to: Readonly<Record<string, InputIdentity | null>>,
): Change[] {
  return keys(from, to).flatMap((name) => {
    const [old, now] = [from[name], to[name]]
    if (now === null) return []
    return changed(
      `in.${name}${asWritten(stage, name, now)}`,
      inputText(old),
      inputText(now),
      placeOf(stage, `in.${name}`),
    )
  })
}

/** Inputs that wait for a stage which runs, or may: what each was then. */
export const waitingChanges = (
  stage: Stage,
  then: Readonly<Record<string, InputIdentity>>,
  now: Readonly<Record<string, InputIdentity | null>>,
): Change[] =>
  keys(then, now).flatMap((name) => {
    if (now[name] !== null) return []
    const from = abridged(show(inputText(then[name])), '').from
    const field = `in.${name}${asWritten(stage, name, null)}`
    return [{ field, from, to: '(not made yet)', place: placeOf(stage, `in.${name}`) }]
  })

/** By their versions, unless only their contents differ. */
function packageChanges(name: string, from: string | undefined, to: string | undefined): Change[] {
  const version = (text: string | undefined): string | undefined => text?.split(' ')[0]
  const field = `package ${name}`
  return version(from) === version(to) ? changed(field, from, to) : changed(field, version(from), version(to))
}

/** The stage that an input comes from; a branch or tag by its name, where only its commit is in the key. */
function asWritten(stage: Stage, name: string, now: InputIdentity | null | undefined): string {
  const input = stage.in[name]
  if (input?.kind === 'stage') return ` (${input.stage}.${input.output})`
  const isPinned = input?.kind === 'string' && now && 'text' in now && now.text !== input.value
  return isPinned === true ? ` (${input.value})` : ''
}

function inputText(input: InputIdentity | undefined): Json | undefined {
  if (input === undefined) return undefined
  if ('content' in input) return short(input.content)
  if ('text' in input) return input.text.replace(/@([0-9a-f]{12})[0-9a-f]{28}$/, '@$1')
  return Object.fromEntries(Object.entries(input.cells).map(([cell, digest]) => [cell, short(digest) ?? null]))
}

const changed = (field: string, from: Json | undefined, to: Json | undefined, place?: Place): Change[] =>
  same(from, to) ? [] : [{ field, ...abridged(show(from), show(to)), ...(place === undefined ? {} : { place }) }]

/** Of long texts the part around their first difference. */
export function abridged(from: string, to: string): Pick<Change, 'from' | 'to'> {
  const most = 60
  if (Math.max(from.length, to.length) <= most) return { from, to }
  let same = 0
  while (from[same] === to[same]) same++
  const start = Math.max(0, same - most / 2)
  const part = (text: string): string =>
    (start > 0 ? '…' : '') + text.slice(start, start + most) + (text.length > start + most ? '…' : '')
  return { from: part(from), to: part(to) }
}

/** Whether two values are one to a key; undefined is where there is none. */
export const same = (a: Json | undefined, b: Json | undefined): boolean =>
  a === undefined || b === undefined ? a === b : canonical(a) === canonical(b)

/** A value for people. */
export const show = (value: Json | undefined): string => (value === undefined ? '(none)' : JSON.stringify(value))

const short = (digest: Digest | null | undefined): string | undefined => digest?.slice(0, 12)

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const keys = (a: object, b: object): string[] => [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
