import { commands } from '../../lib/util/codes/commands.ts'
import { configuration } from '../../lib/util/codes/configuration.ts'
import type { Explanation } from '../../lib/util/codes/explanation.ts'
import { codes } from '../../lib/util/codes/index.ts'
import { learning } from '../../lib/util/codes/learning.ts'
import { models } from '../../lib/util/codes/models.ts'
import { results } from '../../lib/util/codes/results.ts'
import { running } from '../../lib/util/codes/running.ts'
import { sources } from '../../lib/util/codes/sources.ts'
import { GENERATED } from './generated.ts'

const parts: readonly (readonly [string, Readonly<Record<string, Explanation>>])[] = [
  ['In `pipeline.yaml`, recipes and a stage’s module', configuration],
  ['Runs, here or on a cluster', running],
  ['The store, remotes, keys and experiments', results],
  ['Sources, texts and tokens', sources],
  ['Targets and weights', models],
  ['Engines, training and scoring', learning],
  ['Reports, exports, trackers and commands', commands],
]

/** docs/errors.md: what the code at the end of each message means. */
export function errorsPage(): string {
  const sections = parts.map(([title, part]) => {
    const entries = Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))
    return `## ${title}\n\n${entries.map(([code, one]) => `### ${code}\n\n${textOf(one)}\n`).join('\n')}`
  })
  const count = Object.keys(codes).length
  return `${GENERATED}
# What messages mean

Every message ends with a code in brackets. \`npx pipeline help CODE\` says what stands here; there are ${count}. The exit code
is 2 where what was given is wrong, 1 where a stage or the machine failed; after Ctrl-C it is 130, after a closed terminal 129,
after \`kill\` 143.

${sections.join('\n')}`
}

const textOf = ({ means, cause, advice }: Explanation): string =>
  `${means}\n\nUsual cause: ${cause}\n\nWhat to do: ${advice}`
