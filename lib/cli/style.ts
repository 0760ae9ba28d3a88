import { styleText } from 'node:util'

/**
 * What can be read on a light ground and on a dark one, whatever a terminal makes of it: no grey, and of the two reds the
 * bright one. The other is too dark for a dark ground.
 */
const STYLES = { bold: 'bold', red: 'redBright', green: 'green', yellow: 'yellow', cyan: 'cyan' } as const

type Style = 'plain' | keyof typeof STYLES

/** Colour where a person sees it: on a terminal that has not asked for none. */
export function style(format: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  const colour = stream.isTTY && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb'
  return colour && format !== 'plain' ? styleText(STYLES[format], text) : text
}
