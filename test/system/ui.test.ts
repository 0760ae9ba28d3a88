/// <reference lib="dom" />
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import axe from 'axe-core'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'
import type { Place } from '../e2e/command.ts'
import { makeTraining } from '../ui/place.ts'
import { programOf } from './debian.ts'

const screenshots = join(import.meta.dirname, '..', '.screenshots')

/** The page of a project in a browser, and all that it said on its console. */
class Desk {
  readonly said: string[] = []
  #browser: Browser | undefined
  #page: Page | undefined
  #stop: () => Promise<unknown> = () => Promise.resolve()

  get page(): Page {
    return this.#page!
  }

  async open(place: Place): Promise<void> {
    const child = place.spawn(['ui', '--json'])
    const ended = once(child, 'close')
    this.#stop = () => (child.kill('SIGINT'), ended)
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
    this.#browser = await chromium.launch({ executablePath: programOf('chromium'), args: ['--no-sandbox'] })
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, bypassCSP: false })
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    this.#page = await context.newPage()
    this.page.on('console', (message) => this.said.push(message.text()))
    this.page.on('pageerror', (error) => this.said.push(String(error)))
    await this.page.goto((JSON.parse(line) as { readonly url: string }).url)
    await this.page.waitForSelector('.grid tbody a')
  }

  async close(): Promise<void> {
    await this.#browser?.close()
    await this.#stop()
  }

  /** Goes to a view of the page. */
  async go(hash: string): Promise<void> {
    await this.page.evaluate((hash) => (location.hash = hash), hash)
  }

  /** What axe finds wrong. */
  async wrong(): Promise<string[]> {
    // through the driver, which the page's own policy does not concern
    await this.page.evaluate(axe.source)
    return this.page.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run: () => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } } // prettier-ignore
      const { violations } = await axe.run()
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
    })
  }

  /** Looks at what is shown, wide and narrow, light and dark: nothing wrong, nothing beyond the edge. */
  async look(name: string): Promise<void> {
    mkdirSync(screenshots, { recursive: true })
    for (const width of [1280, 400]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await this.page.setViewportSize({ width, height: 800 })
        await this.page.emulateMedia({ colorScheme })
        await this.page.waitForTimeout(150)
        const file = join(screenshots, `ui-${name}-${width}-${colorScheme}.png`)
        writeFileSync(file, await this.page.screenshot({ fullPage: true }))
        assert.deepEqual(await this.wrong(), [], `${name} at ${width}, ${colorScheme}`)
        const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        assert.ok(wide <= 0, `${name} at ${width} is ${wide} pixels too wide`)
      }
    }
    await this.page.setViewportSize({ width: 1280, height: 800 })
  }
}

/** A page draws after the click or the key: reads until what is read is what is wanted, and fails after ten seconds. */
async function comesTo<T>(read: () => Promise<T>, wanted: T): Promise<void> {
  const last = Date.now() + 10_000
  while (Date.now() < last && !isDeepStrictEqual(await read(), wanted)) await delay(20)
  assert.deepEqual(await read(), wanted)
}

describe('the page of `pipeline ui` in a browser', { timeout: 400_000 }, () => {
  const place = makeTraining({ after })
  const desk = new Desk()
  const hashes: string[] = []
  const rows = () => desk.page.locator('.grid tbody tr:not(.space)')
  before(async () => {
    for (const rate of ['0.1', '0.3', '0.9']) {
      const { last } = await place.lines('--set', `rate=${rate}`)
      hashes.push(String(last['experiment']))
    }
    await desk.open(place)
  })
  after(() => desk.close())

  it('shows the experiments, with a curve in each row', async () => {
    await comesTo(() => rows().count(), 3)
    await comesTo(() => desk.page.locator('.grid .spark').count(), 3)
    assert.ok(!desk.page.url().includes('token'), 'the token is gone from the address')
    await desk.look('list')
  })

  it('filters, says what is wrong with a filter, and sorts', async () => {
    const { page } = desk
    await page.getByLabel('Filter', { exact: true }).fill('rate > 0.2')
    await page.keyboard.press('Enter')
    await page.getByText('2 of 3 experiments').first().waitFor()
    await comesTo(() => rows().count(), 2)
    await page.getByLabel('Filter', { exact: true }).fill('rates > 2')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('Did you mean "rate"?').waitFor()
    await desk.look('filter')
    await page.getByRole('button', { name: 'Remove the filter rates > 2' }).click()
    await page.getByRole('button', { name: 'Remove the filter rate > 0.2' }).click()
    await page.getByText('3 experiments', { exact: true }).first().waitFor()
    await page.getByRole('button', { name: 'rate', exact: true }).click()
    await page.locator('th[aria-sort=ascending]').waitFor()
    const isFirst = (hash: string) => page.waitForFunction((one) => document.querySelector('.grid tbody tr a')?.getAttribute('href')?.includes(one), hash) // prettier-ignore
    await isFirst(hashes[0]!)
    await page.getByRole('button', { name: 'rate ↓' }).or(page.getByRole('button', { name: 'rate', exact: true })).click() // prettier-ignore
    await page.locator('th[aria-sort=descending]').waitFor()
    await isFirst(hashes[2]!)
  })

  it('has the columns that are chosen, also when it is loaded again', async () => {
    const { page } = desk
    await page.getByRole('button', { name: 'Columns' }).click()
    await page.getByLabel('Find a column').fill('word')
    await page.getByRole('dialog').getByLabel('words', { exact: true }).check()
    await desk.look('columns')
    await page.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('columnheader', { name: 'words' }).waitFor()
    await page.reload()
    await page.getByRole('columnheader', { name: 'words' }).waitFor()
  })

  it('compares those that are ticked: what differs, and their curves over each other', async () => {
    const { page } = desk
    await page.getByLabel(`Compare ${hashes[0]!.slice(0, 12)}`).check()
    await page.getByLabel(`Compare ${hashes[1]!.slice(0, 12)}`).check()
    await page.getByLabel(`Compare ${hashes[2]!.slice(0, 12)}`).check()
    await page.getByRole('link', { name: 'Compare 3' }).click()
    const row = page.locator('tr', { has: page.getByRole('rowheader', { name: 'train.rate' }) })
    await comesTo(() => row.locator('td').allTextContents(), ['0.1', '0.3', '0.9'])
    await page.waitForSelector('.u-over')
    await comesTo(() => page.locator('.chart').first().locator('.legend li').count(), 3)
    await desk.look('compare')
    await page.getByLabel('also the parameters and metrics that they share').check()
    await page.getByRole('rowheader', { name: 'words' }).first().waitFor()
    await page.getByRole('link', { name: `leave out ${hashes[2]!.slice(0, 12)}` }).click()
    await page.getByText('2 experiments compared').waitFor()
  })

  it('reads a chart by the keyboard', async () => {
    const plot = desk.page.locator('.plot').first()
    await plot.focus()
    await desk.page.keyboard.press('End')
    await desk.page.getByText(/^step 12: /).first().waitFor() // prettier-ignore
    assert.match((await plot.getAttribute('aria-label'))!, /by step\. .*: 2\.\d+ at 4, 1\.\d+ at 12/)
  })

  it('shows an experiment: stages, log, files, and the command to run it again with other parameters', async () => {
    const { page } = desk
    await desk.go(`#/experiment?hash=${hashes[1]!}`)
    await page.getByRole('button', { name: 'train', exact: true }).click()
    await page.getByRole('log').getByText('step 12').waitFor()
    await page.getByRole('link', { name: 'curves', exact: true }).waitFor()
    await desk.look('experiment')
    const command = page.getByLabel('Command to run with these parameters')
    await comesTo(() => command.textContent(), 'npx pipeline run --set rate=0.3')
    await page.getByText('Change parameters').click()
    await page.getByLabel('slow').fill('')
    await page.keyboard.type('12')
    await comesTo(() => page.getByLabel('slow').inputValue(), '12')
    await comesTo(() => command.textContent(), 'npx pipeline run --set rate=0.3 --set slow=12')
    await page.getByRole('button', { name: 'Copy' }).first().click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    assert.equal(
      await page.evaluate(() => navigator.clipboard.readText()),
      'npx pipeline run --set rate=0.3 --set slow=12',
    )
  })

  it('opens the report, whose scripts do not run', async () => {
    const [report] = await Promise.all([desk.page.context().waitForEvent('page'), desk.page.getByText('its report').click()]) // prettier-ignore
    await report.getByText('The report.').waitFor()
    assert.equal(await report.evaluate(() => 'ran' in window), false)
    await report.close()
  })

  it('plans: the stages with reasons and places', async () => {
    place.write('pipeline.yaml', place.read('pipeline.yaml').replace('rate: 0.1', 'rate: 5'))
    await desk.go('#/plan')
    await desk.page.getByText('pipeline.yaml:4:').waitFor()
    await desk.page.locator('.dag svg').waitFor()
    await desk.look('plan')
    place.write('pipeline.yaml', place.read('pipeline.yaml').replace('rate: 5', 'rate: 0.1'))
  })

  it('follows a run as it goes: progress, a curve that grows, the log, and the experiment in the end', async () => {
    const { page } = desk
    await desk.go('#/')
    const { ended } = place.start(['run', '--set', 'slow=900', '--set', 'rate=0.2'])
    await page.getByRole('link', { name: 'a run goes on' }).click()
    await page.getByText(/of 12 steps/).waitFor()
    await page.locator('.chart .plot canvas').waitFor()
    const ends = () => page.locator('.plot').getAttribute('aria-label')
    const before = await ends()
    await page.waitForFunction(
      (before) => document.querySelector('.plot')?.getAttribute('aria-label') !== before,
      before,
    )
    await page.getByRole('log').getByText('step 4').waitFor()
    await desk.look('run')
    await page.getByText('Recorded as experiment').waitFor({ timeout: 60_000 })
    const says = async () => (await page.locator('[data-announcer]').textContent())?.replace(/[0-9a-f]{12}/, 'HASH')
    await comesTo(says, 'The run finished: experiment HASH.')
    assert.equal((await ended).code, 0)
    await page.getByRole('link', { name: 'Experiments' }).click()
    await page.getByText('4 experiments').first().waitFor()
  })

  it('can be gone through by the keyboard alone, with the focus in sight', async () => {
    const { page } = desk
    await page.reload()
    await page.waitForSelector('.grid tbody a')
    const seen: string[] = []
    for (let i = 0; i < 24; i++) {
      await page.keyboard.press('Tab')
      const { name, outline } = await page.evaluate(() => {
        const at = document.activeElement!
        const name = at === document.body ? '' : (at.getAttribute('aria-label') ?? at.textContent)
        return { name, outline: getComputedStyle(at).outlineStyle }
      })
      if (name !== '') assert.notEqual(outline, 'none', `"${name}" shows no focus`)
      seen.push(name)
    }
    for (const name of ['Skip to the content', 'Plan', 'Add', 'Columns', 'Experiments, can be scrolled', `Compare ${hashes[2]!.slice(0, 12)}`])
      assert.ok(seen.some((one) => one.includes(name)), `${name} is not reached: ${seen.join(', ')}`) // prettier-ignore
  })

  it('says nothing on its console', () => {
    assert.deepEqual(desk.said, [])
  })
})

describe('the page of ten thousand experiments', { timeout: 400_000 }, () => {
  const COUNT = 10_000
  const place = makeTraining({ after })
  const desk = new Desk()
  let opened = 0
  before(async () => {
    assert.equal((await place.lines()).code, 0)
    multiply(place, COUNT)
    const start = performance.now()
    await desk.open(place)
    opened = performance.now() - start
  })
  after(() => desk.close())

  it('comes up, and has the rows in sight alone', async (t) => {
    await desk.page.getByText('10,000 experiments').first().waitFor()
    const size = () => desk.page.evaluate(() => document.querySelectorAll('*').length)
    assert.ok((await size()) < 1500, `${await size()} elements`)
    assert.equal(await desk.page.locator('table').getAttribute('aria-rowcount'), String(COUNT + 1))
    await desk.page.locator('.grid').evaluate((grid) => (grid.scrollTop = grid.scrollHeight))
    await desk.page.locator(`tr[aria-rowindex="${COUNT + 1}"] .spark`).waitFor()
    assert.ok((await size()) < 1500, `${await size()} elements`)
    t.diagnostic(`from the command to the table: ${Math.round(opened)} ms`)
    await desk.look('many')
  })

  it('filters them in no time that is felt', async (t) => {
    const { page } = desk
    await page.getByLabel('Filter', { exact: true }).fill('rate < 0.05')
    const start = performance.now()
    await page.keyboard.press('Enter')
    await page.getByText('499 of 10,000 experiments').first().waitFor()
    t.diagnostic(`filtered: ${Math.round(performance.now() - start)} ms`)
    assert.deepEqual(desk.said, [])
  })
})

/** Writes the one experiment of a folder as so many, each with a rate and a loss of its own. */
function multiply({ root }: Place, count: number): void {
  const folder = join(root, 'artifacts', 'experiments')
  const name = readdirSync(folder).find((one) => one.length === 64)
  const record = JSON.parse(readFileSync(join(folder, name!, 'record.json'), 'utf8')) as Record<string, unknown>
  const curves = readFileSync(join(folder, name!, 'metrics.jsonl'))
  // a record without a seal is taken as it is
  const body = Object.fromEntries(Object.entries(record).filter(([key]) => key !== 'seal' && key !== 'beside'))
  for (let i = 1; i < count; i++) {
    const hash = i.toString(16).padStart(64, '0')
    const at = new Date(Date.UTC(2026, 0, 1) + i * 60_000).toISOString()
    mkdirSync(join(folder, hash))
    const metrics = { loss: { train: 1 + (i % 977) / 977, ideal: 0.5 }, verdict: 'fine' }
    const params = { ...(body['params'] as object), rate: (i % 2000) / 2000 }
    writeFileSync(join(folder, hash, 'record.json'), JSON.stringify({ ...body, hash, at, params, metrics }))
    writeFileSync(join(folder, hash, 'metrics.jsonl'), curves)
  }
}
