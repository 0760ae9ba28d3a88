import { stripVTControlCharacters } from 'node:util'

/** Characters in a line of a terminal; any number of them where there is none. */
export const widthOf = (stream: NodeJS.WriteStream): number => (stream.isTTY ? stream.columns || Infinity : Infinity)

/** Lines of whole words; all but the first begin with the indent. A longer word has a line of its own. */
export function wrap(text: string, width: number, indent: string): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)!} ${word}`
    if (lines.length === 0 || seen(longer) > width) lines.push(lines.length === 0 ? word : indent + word)
    else lines[lines.length - 1] = longer
  }
  return lines
}

/** Characters that take room: colours do not. */
const seen = (text: string): number => stripVTControlCharacters(text).length
