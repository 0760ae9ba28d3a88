import { makeProgram } from '../../lib/cli/program.ts'

/** A table of the commands in the order of `npx pipeline help`, each in its own words. */
export function commandsSection(): string {
  const program = makeProgram('', () => undefined)
  const commands = program.createHelp().visibleCommands(program)
  const rows = commands.map((command) => {
    const names = command.registeredArguments.map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '...' : ''}`
      return argument.required ? `<${name}>` : `[${name}]`
    })
    return `| \`${[command.name(), ...names].join(' ')}\` | ${command.description().replaceAll('|', '\\|')} |`
  })
  return ['| `npx pipeline …` | |', '| --- | --- |', ...rows].join('\n')
}
