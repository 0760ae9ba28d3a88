import { FIRST, OTHER, isRight, runsOf, setInput } from './project.ts'
import { run } from './tools.ts'
import type { Ended, Tool } from './tools.ts'

/** What comes of an attack, from the worst to the best. */
export const OUTCOMES = [
  /** A run said that all is well, and an output is not what a clean run gives. */
  'wrong',
  /** A good output of an earlier run had to be made again. */
  'lost',
  /** Three runs in a row have failed. */
  'stuck',
  /** A run failed, and what it said does not name why. */
  'unnamed',
  /** A run failed and named why. */
  'refused',
  'correct',
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** How many tries came to what. */
export type Counts = Readonly<Partial<Record<Outcome, number>>>

/** Those after which a user has to distrust an output, to make it again, or to look for the cause. */
export const BAD: readonly Outcome[] = ['wrong', 'lost', 'stuck', 'unnamed']

export const worst = (...outcomes: readonly Outcome[]): Outcome => OUTCOMES.find((one) => outcomes.includes(one))!

/** Of one run: `names` is what a message has to say of the cause. */
export function outcomeOf({ ok, said }: Ended, tool: Tool, folder: string, input: string, names: RegExp): Outcome {
  if (ok) return isRight(folder, tool.outputs, input) ? 'correct' : 'wrong'
  return names.test(said) ? 'refused' : 'unnamed'
}

/** What a killed run leaves, in the words of any of the tools. */
const LEFTOVER = /\block|killed|interrupted|not whole|damaged|corrupt/i

/** Runs until it says that all is well, three times at most. `standing` names a cause that no run takes away. */
export async function judge(tool: Tool, folder: string, input: string, standing?: RegExp): Promise<Outcome> {
  const outcomes: Outcome[] = []
  for (let i = 0; i < 3; i++) {
    const ended = await run(tool, folder)
    outcomes.push(outcomeOf(ended, tool, folder, input, standing ?? LEFTOVER))
    if (ended.ok) return worst(...outcomes)
  }
  return standing === undefined ? 'stuck' : worst('refused', ...outcomes.map(stuckUnlessNamed))
}

const stuckUnlessNamed = (outcome: Outcome): Outcome => (outcome === 'unnamed' ? 'stuck' : outcome)

/** The same, for an input whose outputs were made before: no stage may have to run for them. */
export async function judgeEarlier(tool: Tool, folder: string, input: string): Promise<Outcome> {
  setInput(folder, input)
  const before = runsOf(folder)
  const outcome = await judge(tool, folder, input)
  return runsOf(folder) > before ? worst(outcome, 'lost') : outcome
}

/** After a run on the other input was disturbed: first that input once more, then the first one. */
export const judgeBoth = async (tool: Tool, folder: string): Promise<Outcome> =>
  worst(await judge(tool, folder, OTHER), await judgeEarlier(tool, folder, FIRST))
