import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Failure } from '../../util/failure.ts'
import type { Digest } from '../canonical.ts'
import { messageOf, readJson, readSealed, remove, token, writeSealed } from '../files.ts'
import { hostBundle } from '../host-bundle.ts'
import type { Counted } from '../host-protocol.ts'
import { childEnvironment } from '../job.ts'
import type { Stage } from '../pipeline.ts'
import type { Prepared, Settled } from '../prepare.ts'
import { inputValue } from '../stage-inputs.ts'

/** What of a run or a plan it takes to ask a stage. */
export interface Asked {
  readonly prepared: Prepared
  readonly settled: ReadonlyMap<string, Settled>
  readonly signal: AbortSignal
}

/**
 * How many units the work of the stage has whose result has this key: its module says so, in a child process, once for
 * each key. Throws the module's Failure, STAGE_FAILED, SHARDS_INVALID.
 */
export async function unitsOf(asked: Asked, stage: Stage, key: Digest): Promise<number> {
  const memo = join(asked.prepared.project.cache, 'units', `${key}.json`)
  const known = readSealed(memo)
  if (typeof known === 'number') return known
  const counted = await ask(asked, stage)
  const fail = (code: Failure['code'], words: string, exitCode: 1 | 2 = 1): Failure =>
    new Failure(code, words, { exitCode, place: stage.place })
  if (counted.type === 'failure') throw fail(counted.code, counted.message, counted.exitCode)
  const { units } = counted
  if (typeof units !== 'number' || !Number.isSafeInteger(units) || units < 1) {
    const message = `The module of stage "${stage.id}" says that its work has ${JSON.stringify(units)} units; expected an integer from 1 on.`
    throw fail('SHARDS_INVALID', message)
  }
  writeSealed(memo, units)
  return units
}

async function ask({ prepared, settled, signal }: Asked, stage: Stage): Promise<Counted> {
  const { bundle, with: parameters } = prepared.identities.get(stage.id)!
  const inputs = Object.entries(stage.in).map(([name, input]) => [name, inputValue(prepared, input, settled)] as const)
  const question = { bundle: bundle!.file, from: bundle!.from, with: parameters, in: Object.fromEntries(inputs) }
  const folder = join(prepared.project.cache, 'units')
  mkdirSync(folder, { recursive: true })
  const [file, answer] = ['question', 'answer'].map((name) => join(folder, `${token()}.${name}.tmp`))
  try {
    writeFileSync(file!, JSON.stringify(question), { mode: 0o600 })
    const env = childEnvironment(process.env, stage.env, [])
    await promisify(execFile)(process.execPath, [await hostBundle(), '--units', file!, answer!], {
      ...{ cwd: tmpdir(), env, signal },
    })
    return readJson(answer!) as unknown as Counted
  } catch (error) {
    return { type: 'failure', code: 'STAGE_FAILED', message: messageOf(error), exitCode: 1 }
  } finally {
    remove(file!)
    remove(answer!)
  }
}
