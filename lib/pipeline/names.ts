import { lengthOf, refusedByWindows } from './file-names.ts'
import type { Output } from './outputs.ts'
import type { Problems } from './problems.ts'
import type { Spot } from './source.ts'

/** Most names; classes of Unicode take a millisecond to build, which every start would wait for. */
const PLAIN = /^[a-z0-9_][a-z0-9_-]*$/i
const NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_-]*$/u
/** Names that every object of JavaScript answers to: user code reads inputs and outputs by name. */
const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
/** Beside these stand the links to results: `artifacts/store`, `artifacts/experiments`, `artifacts/tensorboard`. */
const RESERVED_STAGES: ReadonlySet<string> = new Set(['store', 'experiments', 'tensorboard'])
const MOST_NAME = 100
/**
 * Windows takes paths of 259 characters. With 35 of them for the project's folder, 224 are left for the longest path of
 * a stage, `artifacts/.reproduce-TOKEN/store/STAGE/.tmp-KEY-TOKEN-TOKEN/result/FILE`, of which all but STAGE and FILE
 * are 144.
 */
const MOST_STAGE_AND_FILE = 80
/** The files of a result that the pipeline itself writes have up to 30: `manifest.json.TOKEN.tmp`. */
const MOST_STAGE = 50

/** The name of a stage is a folder in `artifacts/` and the first half of `stage.output`. */
export function isStageName(name: string, at: Spot, problems: Problems): boolean {
  if (RESERVED_STAGES.has(name.toLowerCase())) {
    problems.add(
      'NAME_RESERVED',
      at,
      `A stage cannot be named "${name}": artifacts/${name} is the pipeline's own. Rename it.`,
    )
    return false
  }
  return isName(name, 'stage', at, problems, MOST_STAGE)
}

/** The longest path that a stage's output has, while it is made. */
export function isShortEnough(stage: string, output: Output, problems: Problems): boolean {
  const length = lengthOf(stage) + lengthOf(output.file)
  if (length <= MOST_STAGE_AND_FILE) return true
  const rule = `Together they may have ${MOST_STAGE_AND_FILE} bytes, and have ${length}: Windows takes no paths of more than 259. Shorten one.`
  problems.add(
    'NAME_INVALID',
    output.at,
    `The stage "${stage}" and its output file "${output.file}" have long names. ${rule}`,
  )
  return false
}

/** Names of inputs, outputs and axes. */
export function isName(name: string, what: string, at: Spot, problems: Problems, most = MOST_NAME): boolean {
  if (RESERVED.has(name)) {
    problems.add('NAME_RESERVED', at, `"${name}" is a reserved name and cannot name ${article(what)}. Choose another.`)
    return false
  }
  if (isDevice(name, what, at, problems)) return false
  if ((PLAIN.test(name) || NAME.test(name)) && lengthOf(name) <= most) return true
  const rule = `Names have letters, digits, "_" and "-", start with no "-", and have at most ${most} bytes.`
  problems.add('NAME_INVALID', at, `"${name}" cannot name ${article(what)}. ${rule}`)
  return false
}

/** As far as the rule of names lets through what Windows refuses, or says less. */
function isDevice(name: string, what: string, at: Spot, problems: Problems): boolean {
  const why = refusedByWindows(name)
  if (why?.includes('device') !== true) return false
  problems.add('NAME_RESERVED', at, `"${name}" cannot name ${article(what)}: ${why}. Choose another.`)
  return true
}

/** A cell's name is a folder too, and stands between `[`, `,` and `]`: `train[2,0.5]`. */
export function isCellName(name: string, at: Spot, problems: Problems): boolean {
  const why = refusedByWindows(name)
  const bad = name.trim() !== name || name === '' || /[[\],]/.test(name) || lengthOf(name) > MOST_NAME
  if (!bad && !RESERVED.has(name) && why === undefined) return true
  const rule =
    'It becomes the name of a folder: use letters, digits, "_", "-" and ".", or write the axis as a map, name: value.'
  problems.add(
    'MATRIX_INVALID',
    at,
    `"${name}" cannot name a cell of a matrix${why === undefined ? '' : `: ${why}`}. ${rule}`,
  )
  return false
}

const article = (what: string): string => (/^[aeiou]/.test(what) ? `an ${what}` : `a ${what}`)
