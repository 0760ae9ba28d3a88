import type { ServerResponse } from 'node:http'
import type { Live } from './api.ts'
import { JournalReader, thinProgress } from './runs.ts'
import type { Served } from './routes.ts'

/** How often what changes on disk is looked at, while a page is open. */
const LIVE_MS = 2000
const RUN_MS = 250

/** Server-sent events: says what there is, and again whenever that is another. */
export function streamLive(served: Served, response: ServerResponse): void {
  let said = ''
  every(response, LIVE_MS, async () => {
    if (served.records.reading === undefined) await served.records.refresh()
    const live: Live = { version: served.records.version, runs: served.runs.list() }
    const text = JSON.stringify(live)
    if (text !== said) tell(response, text)
    said = text
  })
}

/** What a run's journal has, and then each line as it comes. */
export function streamRun({ root }: Served, run: string, response: ServerResponse): void {
  const reader = new JournalReader(root, run)
  let isFirst = true
  every(response, RUN_MS, () => {
    const lines = reader.next()
    if (lines.length > 0 || isFirst) tell(response, JSON.stringify(isFirst ? thinProgress(lines) : lines))
    isFirst = false
  })
}

const tell = (response: ServerResponse, text: string): boolean => response.write(`data: ${text}\n\n`)

/** Until the reader has gone. A look that fails, as while a disk is away, is tried again. */
function every(response: ServerResponse, ms: number, look: () => void | Promise<void>): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  let timer: NodeJS.Timeout | undefined
  const again = async (): Promise<void> => {
    try {
      await look()
    } catch {
      response.write(': later\n\n')
    }
    if (!response.closed && !response.writableEnded) timer = setTimeout(() => void again(), ms)
  }
  response.on('close', () => clearTimeout(timer))
  void again()
}
