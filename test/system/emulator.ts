/// <reference lib="dom" />
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { ITheme, Terminal } from '@xterm/xterm'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'
import { programOf } from './debian.ts'

export const screenshots = join(import.meta.dirname, '..', '.screenshots')

/** A run of characters as the terminal draws them: the contrast is WCAG 2.2's ratio of luminances, from 1 to 21. */
interface Drawn {
  readonly text: string
  readonly contrast: number
}

/** The sixteen colours in the order of their codes, from 30 on. */
function theme(background: string, foreground: string, colours: string): ITheme {
  const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']
  const bright = names.map((name) => `bright${name.charAt(0).toUpperCase()}${name.slice(1)}`)
  const values = colours.split(' ')
  return { background, foreground, ...Object.fromEntries([...names, ...bright].map((name, n) => [name, values[n]])) }
}

/** What terminals come with; xterm.js' own is what it draws with where it is told nothing. */
export const themes: Readonly<Record<string, ITheme>> = {
  'xterm.js, dark': {},
  'GNOME, dark': theme(
    '#171421',
    '#d0cfcc',
    '#171421 #c01c28 #26a269 #a2734c #12488b #a347ba #2aa1b3 #d0cfcc #5e5c64 #f66151 #33da7a #e9ad0c #2a7bde #c061cb #33c7de #ffffff',
  ),
  'GNOME, light': theme(
    '#ffffff',
    '#171421',
    '#171421 #c01c28 #26a269 #a2734c #12488b #a347ba #2aa1b3 #d0cfcc #5e5c64 #f66151 #33da7a #e9ad0c #2a7bde #c061cb #33c7de #ffffff',
  ),
  'VS Code, light': theme(
    '#ffffff',
    '#333333',
    '#000000 #cd3131 #107c10 #949800 #0451a5 #bc05bc #0598bc #555555 #666666 #cd3131 #14ce14 #b5ba00 #0451a5 #bc05bc #0598bc #a5a5a5',
  ),
}

/** A terminal's picture, drawn by xterm.js in Chromium. */
export class Emulator {
  readonly #browser: Browser
  readonly #page: Page
  #drawn = ''

  private constructor(browser: Browser, page: Page) {
    this.#browser = browser
    this.#page = page
  }

  static async open(): Promise<Emulator> {
    const browser = await chromium.launch({ executablePath: programOf('chromium'), args: ['--no-sandbox'] })
    const page = await browser.newPage()
    const script = createRequire(import.meta.url).resolve('@xterm/xterm')
    await page.setContent('<!doctype html><title>terminal</title><style>body { margin: 0 }</style>')
    await page.addStyleTag({ path: join(dirname(script), '..', 'css', 'xterm.css') })
    await page.addScriptTag({ content: readFileSync(script, 'utf8') })
    return new Emulator(browser, page)
  }

  close(): Promise<void> {
    return this.#browser.close()
  }

  /** Keeps the picture of what was drawn last. */
  async keep(name: string): Promise<void> {
    mkdirSync(screenshots, { recursive: true })
    writeFileSync(
      join(screenshots, `terminal-${name}-${this.#drawn}.png`),
      await this.#page.screenshot({ fullPage: true }),
    )
  }

  /** Draws lines with their colours as `tmux capture-pane -e` gives them, and says what is on the screen then. */
  async draw(lines: readonly string[], columns: number, theme: string): Promise<readonly Drawn[]> {
    await this.#page.setViewportSize({ width: columns * 9 + 20, height: lines.length * 18 + 20 })
    const drawn = await this.#page.evaluate(
      async ({ text, size, theme }) => {
        const { Terminal: Screen } = window as unknown as { Terminal: typeof Terminal }
        document.body.replaceChildren()
        const terminal = new Screen({ ...size, theme, convertEol: true, fontSize: 14, fontFamily: 'monospace', scrollback: 0 }) // prettier-ignore
        terminal.open(document.body)
        await new Promise<void>((done) => {
          terminal.write(`${text}\x1b[?25l`, done)
        })
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
        return [...document.querySelectorAll('.xterm-rows span')].map((span) => {
          const grounds: string[] = []
          for (let at: Element | null = span; at !== null; at = at.parentElement)
            grounds.push(getComputedStyle(at).backgroundColor)
          return { text: span.textContent, colour: getComputedStyle(span).color, grounds }
        })
      },
      { text: lines.join('\n'), size: { cols: columns, rows: lines.length }, theme: themes[theme]! },
    )
    this.#drawn = `${columns}-${theme.replace(/\W+/g, '-')}`
    return drawn
      .filter(({ text }) => text.trim() !== '')
      .map(({ text, colour, grounds }) => ({ text: text.trim(), contrast: contrast(colour, grounds) }))
  }
}

type Colour = readonly number[]

/** Red, green, blue in 0..255, and how much of it is seen. */
const channels = (css: string): Colour => {
  const [red = 0, green = 0, blue = 0, alpha = 1] = [...css.matchAll(/[\d.]+/g)].map(Number)
  return [red, green, blue, alpha]
}

/** https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio of text on its grounds, of which the first is the nearest. */
function contrast(text: string, grounds: readonly string[]): number {
  const below = grounds.map(channels).reduceRight(over, [255, 255, 255, 1])
  const [dark, light] = [luminance(over(below, channels(text))), luminance(below)].sort((a, b) => a - b)
  return (light! + 0.05) / (dark! + 0.05)
}

const over = (below: Colour, above: Colour): Colour =>
  [0, 1, 2].map((at) => above[at]! * above[3]! + below[at]! * (1 - above[3]!)).concat(1)

/** https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(colour: Colour): number {
  const [red, green, blue] = colour.slice(0, 3).map((value) => {
    const share = value / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}
