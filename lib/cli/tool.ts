import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { bundle } from '../pipeline/bundle.ts'
import { projectAt } from '../pipeline/project.ts'
import { StatCache } from '../pipeline/stat-cache.ts'
import { received } from '../util/answer.ts'
import type { Answer } from '../util/answer.ts'
import { Failure } from '../util/failure.ts'
import { packageRoot } from '../util/package-root.ts'

/**
 * Asks a program of lib/tools, in a process of its own because only such may load the engines. Throws its Failure,
 * TOOL_FAILED where it gave no answer, or TOOL_STOPPED.
 */
export async function askTool(name: string, args: readonly string[], signal?: AbortSignal): Promise<unknown> {
  const file = await bundleTool(name)
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'], signal })
  child.on('error', () => undefined) // it was stopped; `close` follows
  const [out, errors]: [string[], string[]] = [[], []]
  child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (signal?.aborted === true) throw new Failure('TOOL_STOPPED', `"${name}" was stopped.`, { exitCode: 1 })
  const said = parse(out.join('').trim().split('\n').at(-1) ?? '')
  if (said === undefined) {
    const why = errors.join('').trim().slice(-500)
    throw new Failure('TOOL_FAILED', `"${name}" gave no answer (exit code ${code ?? 'none'}): ${why}`, { exitCode: 1 })
  }
  const answer = received(said)
  if (answer.ok) return answer.value
  throw answer.error
}

function parse(line: string): Answer | undefined {
  try {
    return JSON.parse(line) as Answer
  } catch {
    return undefined
  }
}

/** The program as a bundle that Node can run, beside the packages that it imports. */
async function bundleTool(name: string): Promise<string> {
  const root = packageRoot()
  const project = projectAt(root)
  const stats = new StatCache(project.cache)
  const bundled = await bundle(join(root, 'lib', 'tools', `${name}.ts`), project, stats, 'leave')
  stats.save()
  if (!bundled.ok) throw bundled.error
  return bundled.value.file
}
