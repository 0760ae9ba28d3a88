import { codes } from '../../lib/util/codes/index.ts'
import { configuration } from '../../lib/util/codes/configuration.ts'
import { data } from '../../lib/util/codes/data.ts'
import { learning } from '../../lib/util/codes/learning.ts'
import { running } from '../../lib/util/codes/running.ts'
import { GENERATED } from './generated.ts'

const parts = [
  ['In `pipeline.yaml`, recipes and a stage’s module', configuration],
  ['Runs, the store, remotes and experiments', running],
  ['Sources, texts, tokens, targets and weights', data],
  ['Engines, training, scores, reports and commands', learning],
] as const

/** docs/errors.md: what the code at the end of each message means. */
export function errorsPage(): string {
  const sections = parts.map(([title, part]) => {
    const entries = Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))
    return `## ${title}\n\n${entries.map(([code, text]) => `### ${code}\n\n${text}\n`).join('\n')}`
  })
  const count = Object.keys(codes).length
  return `${GENERATED}
# What messages mean

Every message ends with a code in brackets. \`npx pipeline help CODE\` says what stands here; there are ${count}. The exit code
is 2 where what was given is wrong, 1 where a stage or the machine failed, 130 after Ctrl-C.

${sections.join('\n')}`
}
