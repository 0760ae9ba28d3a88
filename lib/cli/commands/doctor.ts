import { table } from '../format.ts'
import { write, writeJson } from '../output.ts'
import { style } from '../style.ts'
import { askTool } from '../tool.ts'

interface Diagnosis {
  /** Best first. */
  readonly engines: readonly {
    readonly name: string
    readonly works: boolean
    readonly device: string | null
    readonly why: string
  }[]
  readonly auto: string | null
}

/** `pipeline doctor`: which engines work here. */
export async function doctor(options: { json?: boolean }): Promise<number> {
  const diagnosis = (await askTool('doctor', [])) as Diagnosis
  if (options.json === true) writeJson(diagnosis)
  else write(words(diagnosis))
  return 0
}

function words({ engines, auto }: Diagnosis): string {
  const rows = engines.map(({ name, works, device, why }) => [
    name === auto ? '→' : ' ',
    name,
    works ? 'works' : 'does not work',
    device ?? '',
    why,
  ])
  const choice =
    auto === null ? style('red', 'No engine works here.') : `\`--engine auto\` takes ${style('bold', auto)}.`
  return `${table(rows)}\n${choice}`
}
