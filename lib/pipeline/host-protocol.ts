import type { Code } from '../util/codes/index.ts'
import type { Json, JsonObject } from '../util/json.ts'
import type { EngineChoice, Progress } from './stage.ts'

/** The host writes messages here, one JSON value a line. */
export const MESSAGE_FD = 3
/** Nothing is ever written here: it closes when the driver is gone. */
export const WATCH_FD = 4

/** What the driver asks of a host, in a file whose path is the host's argument. */
export type Job = {
  /** `from`: the file of a module in a package, by which what it imports is found; else ''. */
  readonly program:
    | { readonly kind: 'module'; readonly bundle: string; readonly from: string }
    | { readonly kind: 'command'; readonly argv: readonly string[] }
  readonly with: JsonObject
  readonly in: Readonly<Record<string, Json>>
  readonly out: Readonly<Record<string, string>>
  readonly checkpoint: string
  readonly engine: EngineChoice
  /** Of the key and the GPUs. The host holds them too, so that nobody has them before it is really gone. */
  readonly locks: readonly { readonly folder: string; readonly key: string; readonly token: string }[]
}

export type Message =
  | { readonly type: 'progress'; readonly progress: Progress; readonly memory: number }
  | { readonly type: 'ran-on'; readonly device: string }
  | { readonly type: 'done' }
  /** The stage ended after it had been asked to stop. */
  | { readonly type: 'cancelled' }
  | {
      readonly type: 'failure'
      readonly code: Code
      readonly message: string
      readonly exitCode: 1 | 2
      readonly stack: string
    }
