import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Json } from '../util/json.ts'
import { NO_TELEMETRY } from '../util/telemetry.ts'
import type { Job } from './host-protocol.ts'
import { inputValue } from './stage-inputs.ts'
import { TASK_VARIABLE } from './process-group.ts'
import type { ArgumentPart, Stage } from './pipeline.ts'
import type { Prepared, Settled } from './prepare.ts'
import type { EngineChoice } from './stage.ts'
import type { Work } from './store.ts'

interface JobPlace {
  readonly work: Work
  readonly checkpoint: string
  readonly locks: Job['locks']
}

/** What the child is told: everything it may read and write, by absolute path. */
export function jobOf(
  prepared: Prepared,
  stage: Stage,
  settled: ReadonlyMap<string, Settled>,
  engine: EngineChoice,
  place: JobPlace,
): Job {
  const inputs = Object.fromEntries(
    Object.entries(stage.in).map(([name, input]) => [name, inputValue(prepared, input, settled)]),
  )
  const out = Object.fromEntries(Object.entries(stage.out).map(([name, file]) => [name, join(place.work.result, file)]))
  for (const path of Object.values(out)) mkdirSync(dirname(path), { recursive: true })
  const identity = prepared.identities.get(stage.id)!
  const program: Job['program'] =
    stage.program.kind === 'module'
      ? { kind: 'module', bundle: identity.bundle!.file, from: identity.bundle!.from }
      : {
          kind: 'command',
          argv: stage.program.argv.map((parts) => parts.map((part) => argument(part, inputs, out)).join('')),
        }
  return { program, with: identity.with, in: inputs, out, checkpoint: place.checkpoint, engine, locks: place.locks }
}

/** Values stand inside an argument as they are: no shell ever sees them. */
function argument(
  part: ArgumentPart,
  inputs: Readonly<Record<string, Json>>,
  out: Readonly<Record<string, string>>,
): string {
  switch (part.kind) {
    case 'text':
      return part.text
    case 'in':
      return plain(inputs[part.name]!)
    case 'out':
      return out[part.name]!
    case 'with':
      return plain(part.value)
  }
}

const plain = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** What a program needs to run and to reach the network; whatever else it reads, it must declare in `env`. */
const PASSED =
  /^(PATH|HOME|USER|LOGNAME|SHELL|TERM|TMPDIR|TMP|TEMP|LD_LIBRARY_PATH|DYLD_\w+|XDG_\w+|HF_\w+|CUDA_\w+|NVIDIA_\w+|VK_\w+|\w+_PROXY|SSL_CERT_\w+|NODE_EXTRA_CA_CERTS|SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE|PROGRAMFILES)$/i

/** Whether a stage sees a variable without declaring it. */
export const isPassed = (name: string): boolean =>
  PASSED.test(name) || ['LC_ALL', 'TZ', TASK_VARIABLE, ...Object.keys(NO_TELEMETRY)].includes(name)

/** Undeclared variables, the locale and the time zone of this machine cannot reach a result. */
export function childEnvironment(
  env: NodeJS.ProcessEnv,
  declared: readonly string[],
  gpus: readonly string[],
): Record<string, string> {
  const kept = Object.entries(env).filter(
    ([name, value]) => value !== undefined && (PASSED.test(name) || declared.includes(name)),
  )
  const visible = gpus.length > 0 ? { CUDA_VISIBLE_DEVICES: gpus.join(',') } : {}
  return {
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    ...NO_TELEMETRY,
    ...(Object.fromEntries(kept) as Record<string, string>),
    ...visible,
  }
}
