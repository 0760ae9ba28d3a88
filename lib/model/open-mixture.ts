import { readTokens } from '../data/tokens.ts'
import type { Tokens } from '../data/tokens.ts'
import type { Attend } from '../data/windows.ts'
import { Failure } from '../util/failure.ts'
import { nearest } from '../util/nearest.ts'
import type { Mixed } from './mixture.ts'
import { openStored } from './open-teacher.ts'
import type { Schedule } from './schedule.ts'
import type { Others, Teacher } from './taught.ts'

/** Folders of corpora by name, as tokens and, where targets teach, what the teacher says of them. */
export interface MixedFolders {
  readonly mixed?: Readonly<Record<string, string>>
  readonly mixedTargets?: Readonly<Record<string, string>>
}

export interface MixParams {
  readonly context: number
  readonly attend: Attend
  readonly others: Others
  readonly mix: Readonly<Record<string, Schedule>>
}

/**
 * The corpora that are mixed into `tokens`, in the order of their names; the caller closes their targets. Throws Failure
 * MIX_UNKNOWN, MIX_ABSENT, VOCABULARY_DIFFERS, TARGETS_NEEDED, TARGETS_UNUSED, TARGETS_…, and what reading them throws.
 */
export function openMixture(
  { mixed = {}, mixedTargets = {} }: MixedFolders,
  { mix, ...params }: MixParams,
  tokens: Tokens,
  teacher: Teacher | undefined,
): Mixed[] {
  const names = Object.keys(mixed).sort()
  checkNames(names, Object.keys(mix), 'mix')
  const told = teacher && 'targets' in teacher ? teacher.targets.header : undefined
  if (told !== undefined) checkNames(names, Object.keys(mixedTargets), 'mixedTargets')
  else if (Object.keys(mixedTargets).length > 0) throw unused()
  const found: Mixed[] = []
  try {
    for (const name of names) {
      const own = readOwn(mixed[name]!, name, tokens)
      const plain = { name, train: own.splits.train, weight: mix[name]! }
      if (told === undefined) found.push(plain)
      else {
        const expected = { corpus: name, model: told.model, form: told.form } // all are fed to one graph
        found.push({ ...plain, targets: openStored(mixedTargets[name]!, params, own, expected).targets })
      }
    }
    return found
  } catch (error) {
    closeMixture(found)
    throw error
  }
}

export function closeMixture(mixed: readonly Mixed[]): void {
  for (const { targets } of mixed) targets?.close()
}

/** `mix` and `mixedTargets` hold each corpus of `mixed`, and nothing else. */
function checkNames(corpora: readonly string[], found: readonly string[], where: 'mix' | 'mixedTargets'): void {
  const extra = found.find((name) => !corpora.includes(name))
  if (extra !== undefined) {
    const near = nearest(extra, corpora)
    const meant = near === undefined ? `The corpora are ${quoted(corpora)}.` : `Did you mean "${near}"?`
    throw new Failure('MIX_UNKNOWN', `\`${where}\` names "${extra}", which is no corpus of \`mixed\`. ${meant}`)
  }
  const lacking = corpora.filter((name) => !found.includes(name))
  if (lacking.length === 0) return
  const advice = {
    mix: 'Say how many of its rows an epoch takes: 1 for each once, 0.2 for a fifth of them.',
    mixedTargets: 'Where targets teach, each corpus needs what the teacher says of it.',
  }
  throw new Failure('MIX_ABSENT', `\`${where}\` lacks ${quoted(lacking)}, which \`mixed\` has. ${advice[where]}`)
}

function readOwn(folder: string, name: string, { tokenizerDigest }: Tokens): Tokens {
  const read = readTokens(folder)
  if (!read.ok) throw read.error
  if (read.value.tokenizerDigest === tokenizerDigest) return read.value
  const message = `The corpus "${name}" was encoded by another tokenizer than the text that it is mixed into. Tokenize both with the same.`
  throw new Failure('VOCABULARY_DIFFERS', message)
}

function unused(): Failure {
  const message =
    'The stage is given `mixedTargets`, but no `targets`: nobody would learn from them. Give both or neither.'
  return new Failure('TARGETS_UNUSED', message)
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ') || 'none'
