/** Markup that is safe to stand in a page as it is. */
export interface Html {
  readonly markup: string
}

type Part = string | number | Html | readonly Html[] | undefined

/** A template in which every string is escaped and only Html enters as it is; undefined is left out. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  markup: strings.reduce((page, string, i) => page + render(parts[i - 1]) + string),
})

/** Takes markup that we made ourselves. */
export const raw = (markup: string): Html => ({ markup })

export const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const render = (part: Part): string => {
  if (part === undefined) return ''
  if (typeof part === 'string' || typeof part === 'number') return escape(String(part))
  return 'markup' in part ? part.markup : part.map((each) => each.markup).join('')
}
