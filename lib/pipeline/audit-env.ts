import { fileURLToPath } from 'node:url'

/** A stage's bundle or one of its threads'. */
const BUNDLE = /[/\\]\.cache[/\\]pipeline[/\\][0-9a-f]{64}\.mjs/

/**
 * Tells the variables that the project's own code asks for. What a package asks for is left out: an undeclared variable
 * has no value in a stage, so that it reaches no result, and packages ask for dozens.
 */
export function watchEnvironment(tell: (name: string) => void): void {
  /** Set by the stage itself. */
  const set = new Set<PropertyKey>()
  const look = (name: PropertyKey): void => {
    if (typeof name === 'string' && !set.has(name) && BUNDLE.test(caller())) tell(name)
  }
  process.env = new Proxy(process.env, {
    get(env, name) {
      look(name)
      return Reflect.get(env, name) as unknown
    },
    has(env, name) {
      look(name)
      return Reflect.has(env, name)
    },
    set(env, name, value) {
      set.add(name)
      return Reflect.set(env, name, value)
    },
  })
}

/** The line of the stack that touched the variables; a copy of them all that Node makes for a child is Node's. */
function caller(): string {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 12
  const lines = (new Error().stack ?? '').split('\n').slice(1)
  Error.stackTraceLimit = stackTraceLimit
  const here = fileURLToPath(import.meta.url)
  return lines.find((line) => /[/\\]|node:/.test(line) && !line.includes(here)) ?? ''
}
