import type { Command } from 'commander'
import { codes } from '../../util/codes/index.ts'
import type { Code } from '../../util/codes/index.ts'
import { Failure } from '../../util/failure.ts'
import { nearest } from '../../util/nearest.ts'
import { write } from '../output.ts'
import { style } from '../style.ts'
import { widthOf, wrap } from '../wrap.ts'

/**
 * `pipeline help [TOPIC]`: all commands, one of them, or what the code at the end of a message means. Throws Failure
 * TOPIC_UNKNOWN.
 */
export function help(program: Command, topic: string | undefined): number {
  if (topic === undefined) write(program.helpInformation().trimEnd())
  else if (isCode(topic)) write(explained(topic))
  else write(commandNamed(program, topic).helpInformation().trimEnd())
  return 0
}

function explained(code: Code): string {
  const { means, cause, advice } = codes[code]
  const lines = (text: string): string => wrap(text, widthOf(process.stdout), '').join('\n')
  const parts = [means, `${style('bold', 'Usual cause:')} ${cause}`, `${style('bold', 'What to do:')} ${advice}`]
  return [style('bold', code), ...parts.map(lines)].join('\n\n')
}

const isCode = (topic: string): topic is Code => Object.hasOwn(codes, topic)

function commandNamed(program: Command, topic: string): Command {
  const names = program.commands.map((command) => command.name())
  const found = program.commands.find((command) => command.name() === topic)
  if (found) return found
  const near = nearest(topic, [...names, ...Object.keys(codes)])
  const meant = near === undefined ? 'See `pipeline help` and docs/errors.md.' : `Did you mean "${near}"?`
  throw new Failure('TOPIC_UNKNOWN', `"${topic}" is no command and no code of a message. ${meant}`)
}
