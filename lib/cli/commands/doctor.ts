import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { bundle } from '../../pipeline/bundle.ts'
import { projectAt } from '../../pipeline/project.ts'
import { StatCache } from '../../pipeline/stat-cache.ts'
import { Failure } from '../../util/failure.ts'
import { packageRoot } from '../../util/package-root.ts'
import { table } from '../format.ts'
import { write, writeFailures, writeJson } from '../output.ts'
import { style } from '../style.ts'

interface Diagnosis {
  readonly engines: readonly {
    readonly name: string
    readonly works: boolean
    readonly device: string | null
    readonly why: string | null
  }[]
  readonly auto: string | null
}

/** `pipeline doctor`: asks a child, because only it may load the engines. */
export async function doctor(options: { json?: boolean }): Promise<number> {
  const tool = await bundleTool('doctor.ts')
  if (tool instanceof Failure) {
    writeFailures([tool], options.json === true)
    return tool.exitCode
  }
  const diagnosis = await diagnose(tool)
  if (options.json === true) writeJson(diagnosis)
  else write(words(diagnosis))
  return 0
}

/** A program of lib/tools as a bundle that Node can run, beside the packages that it imports. */
async function bundleTool(name: string): Promise<string | Failure> {
  const root = packageRoot()
  const project = projectAt(root)
  const stats = new StatCache(project.cache)
  const bundled = await bundle(join(root, 'lib', 'tools', name), project, stats, 'leave')
  stats.save()
  return bundled.ok ? bundled.value.file : bundled.error
}

async function diagnose(file: string): Promise<Diagnosis> {
  const child = spawn(process.execPath, [file, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, errors] = ['', '']
  child.stdout.on('data', (data: Buffer) => (out += data.toString()))
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  try {
    // engines may write to standard output on their own: the answer is the last line
    return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Diagnosis
  } catch (cause) {
    const message = `The engines could not be asked (exit code ${code ?? 'none'}): ${errors.trim().slice(-500)}`
    throw new Failure('DOCTOR_FAILED', message, { exitCode: 1, cause })
  }
}

function words({ engines, auto }: Diagnosis): string {
  const rows = engines.map(({ name, works, device, why }) => [
    name === auto ? '→' : ' ',
    name,
    works ? 'works' : 'does not work',
    device ?? '',
    why ?? '',
  ])
  const choice =
    auto === null ? style('red', 'No engine works here.') : `\`--engine auto\` takes ${style('bold', auto)}.`
  return `${table(rows)}\n${choice}`
}
