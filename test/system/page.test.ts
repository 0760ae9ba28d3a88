/// <reference lib="dom" />
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { after, before, describe, it } from 'node:test'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'
import { makeProject } from '../e2e/project.ts'
import { programOf } from './debian.ts'

const screenshots = join(import.meta.dirname, '..', '.screenshots')
const short = ['--set', 'distill.epochs=0.1']
const pages: Readonly<Record<string, readonly string[]>> = {
  default: [],
  sweep: ['-p', 'recipes/temperature-sweep.yaml', '--set', 'sweep.temperatures=[1, 4]'],
}

/** A wide desk, a tablet, a phone. */
const widths = [1400, 800, 400]

for (const [name, recipe] of Object.entries(pages)) {
  describe(`the page of the ${name} in a browser`, { timeout: 300_000 }, () => {
    let browser: Browser
    let page: Page
    const said: string[] = []
    const place = makeProject({ after })
    before(async () => {
      const { code, last } = await place.lines(...recipe, ...short)
      assert.equal(code, 0)
      const file = join(place.root, 'artifacts', 'experiments', String(last['experiment']), 'report.html')
      browser = await chromium.launch({ executablePath: programOf('chromium'), args: ['--no-sandbox'] })
      page = await browser.newPage()
      page.on('console', (message) => said.push(message.text()))
      page.on('pageerror', (error) => said.push(String(error)))
      page.on('requestfailed', (request) => said.push(request.url()))
      await page.goto(pathToFileURL(file).href)
    })
    after(() => browser.close())

    it('says nothing on its console', () => {
      assert.deepEqual(said, [])
    })

    for (const width of widths) {
      it(`at ${width} pixels overflows nowhere, and every chart has its marks`, async () => {
        await page.setViewportSize({ width, height: 900 })
        mkdirSync(screenshots, { recursive: true })
        writeFileSync(join(screenshots, `${name}-${width}.png`), await page.screenshot({ fullPage: true }))
        assert.deepEqual(await page.evaluate(overflows), [])
        const charts = await page.evaluate(drawn)
        assert.ok(charts.length >= 3, `${charts.length} charts are shown`)
        for (const { title, marks, cut } of charts) {
          assert.ok(marks >= 3, `"${title}" has ${marks} marks`)
          assert.deepEqual(cut, [], `"${title}" cuts labels`)
        }
      })
    }

    it('is dark where the reader wants it', async () => {
      const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
      await page.emulateMedia({ colorScheme: 'light' })
      const light = await paper()
      await page.emulateMedia({ colorScheme: 'dark' })
      assert.notEqual(await paper(), light)
      writeFileSync(join(screenshots, `${name}-dark.png`), await page.screenshot({ fullPage: true }))
    })

    it('can be printed', async () => {
      const pdf = await page.pdf({ format: 'A4' })
      assert.equal(pdf.subarray(0, 5).toString(), '%PDF-')
      writeFileSync(join(screenshots, `${name}.pdf`), pdf)
    })
  })
}

/** What reaches past the right edge of the window, or makes it scroll sideways. */
function overflows(): string[] {
  const wide = [...document.querySelectorAll('body *')].filter((one) => {
    const { right, width } = one.getBoundingClientRect()
    return width > 0 && right > window.innerWidth + 0.5
  })
  const scrolls = document.documentElement.scrollWidth > window.innerWidth
  return [...(scrolls ? ['the page'] : []), ...wide.map((one) => `${one.tagName} ${one.textContent.slice(0, 40)}`)]
}

/** The charts that are shown: how many things are drawn in each, and the labels that its edge cuts. */
function drawn(): { title: string; marks: number; cut: string[] }[] {
  const charts = [...document.querySelectorAll('svg[role=img]')].filter((svg) => svg.getBoundingClientRect().width > 0)
  return charts.map((svg) => {
    const box = svg.getBoundingClientRect()
    const cut = [...svg.querySelectorAll('text')].filter((text) => {
      const { left, right, top, bottom } = text.getBoundingClientRect()
      return left < box.left - 0.5 || right > box.right + 0.5 || top < box.top - 0.5 || bottom > box.bottom + 0.5
    })
    const marks = svg.querySelectorAll('path, circle, polyline, line').length
    return { title: svg.querySelector('title')?.textContent ?? '', marks, cut: cut.map((text) => text.textContent) }
  })
}
