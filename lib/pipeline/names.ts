import type { Problems } from './problems.ts'
import type { Spot } from './source.ts'

const NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_-]*$/u
/** Names that every object of JavaScript answers to: user code reads inputs and outputs by name. */
const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
/** Beside these stand the links to results: `artifacts/store`, `artifacts/experiments`, `artifacts/tensorboard`. */
const RESERVED_STAGES: ReadonlySet<string> = new Set(['store', 'experiments', 'tensorboard'])
/** File names that Windows keeps for devices, with any ending. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

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
  return isName(name, 'stage', at, problems)
}

/** Names of inputs, outputs and axes. */
export function isName(name: string, what: string, at: Spot, problems: Problems): boolean {
  if (RESERVED.has(name) || DEVICES.test(name)) {
    problems.add('NAME_RESERVED', at, `"${name}" is a reserved name and cannot name ${article(what)}. Choose another.`)
    return false
  }
  if (NAME.test(name) && name.length <= 100) return true
  const rule = 'Names have letters, digits, "_" and "-", start with no "-", and have at most 100 characters.'
  problems.add('NAME_INVALID', at, `"${name}" cannot name ${article(what)}. ${rule}`)
  return false
}

/** A cell's name is a folder too, and stands between `[`, `,` and `]`: `train[2,0.5]`. */
export function isCellName(name: string, at: Spot, problems: Problems): boolean {
  const bad = name.trim() !== name || name === '' || /[[\],/\\:*?"<>|\p{Cc}]|^\.+$|\.$/u.test(name) || name.length > 100
  if (!bad && !RESERVED.has(name) && !DEVICES.test(name)) return true
  const rule =
    'It becomes the name of a folder: use letters, digits, "_", "-" and ".", or write the axis as a map, name: value.'
  problems.add('MATRIX_INVALID', at, `"${name}" cannot name a cell of a matrix. ${rule}`)
  return false
}

const article = (what: string): string => (/^[aeiou]/.test(what) ? `an ${what}` : `a ${what}`)
