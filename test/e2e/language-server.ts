import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)
const SERVER = join(dirname(require.resolve('yaml-language-server/package.json')), 'bin', 'yaml-language-server')

interface Position {
  readonly line: number
  readonly character: number
}

interface Diagnostic {
  readonly range: { readonly start: Position }
  readonly message: string
}

type Message = { readonly id?: number; readonly method?: string; readonly params?: unknown; readonly result?: unknown }

/** The YAML language server that editors start, with one text open as if it lay in `folder`. */
export class LanguageServer {
  readonly #send: (message: object) => void
  readonly #waiting = new Map<number, (result: unknown) => void>()
  #diagnose: (found: readonly Diagnostic[]) => void = () => undefined
  readonly diagnostics = new Promise<readonly Diagnostic[]>((resolve) => (this.#diagnose = resolve))
  readonly #uri: string
  #next = 0

  constructor(t: TestContext, folder: string) {
    this.#uri = pathToFileURL(join(folder, 'pipeline.yaml')).href
    const child = spawn(process.execPath, [SERVER, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] })
    t.after(() => child.kill())
    this.#send = (message) => {
      const text = JSON.stringify({ jsonrpc: '2.0', ...message })
      child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
    }
    let rest = Buffer.alloc(0)
    child.stdout.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      for (;;) {
        const head = /^Content-Length: (\d+)\r\n(?:.*\r\n)*?\r\n/.exec(rest.toString('latin1'))
        const end = head ? head[0].length + Number(head[1]) : Infinity
        if (!head || rest.length < end) return
        this.#hear(JSON.parse(rest.subarray(head[0].length, end).toString()) as Message)
        rest = rest.subarray(end)
      }
    })
  }

  async open(text: string): Promise<void> {
    await this.#ask('initialize', { processId: process.pid, rootUri: null, capabilities: {} })
    this.#send({ method: 'initialized', params: {} })
    const textDocument = { uri: this.#uri, languageId: 'yaml', version: 1, text }
    this.#send({ method: 'textDocument/didOpen', params: { textDocument } })
  }

  async completions(position: Position): Promise<string[]> {
    const list = await this.#at('textDocument/completion', position)
    return (list as { items: { label: string }[] }).items.map(({ label }) => label)
  }

  async hover(position: Position): Promise<string> {
    const found = (await this.#at('textDocument/hover', position)) as { contents: { value: string } } | null
    return found?.contents.value ?? ''
  }

  #at(method: string, position: Position): Promise<unknown> {
    return this.#ask(method, { textDocument: { uri: this.#uri }, position })
  }

  #ask(method: string, params: object): Promise<unknown> {
    const id = ++this.#next
    this.#send({ id, method, params })
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }

  #hear({ id, method, params, result }: Message): void {
    if (method === undefined) this.#waiting.get(id!)?.(result)
    else if (method === 'textDocument/publishDiagnostics') {
      const { diagnostics } = params as { diagnostics: readonly Diagnostic[] }
      this.#diagnose(diagnostics)
    } else if (id !== undefined) this.#send({ id, result: null }) // registrations and the like
  }
}
