import { styleText } from 'node:util'

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Colour where a person sees it: on a terminal that has not asked for none. */
export function style(format: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  const colour = stream.isTTY && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb'
  return colour ? styleText(format, text) : text
}
