import { digestOf } from './canonical.ts'
import type { Digest } from './canonical.ts'
import type { Json } from '../util/json.ts'
import { KEY_SCHEMA } from './key.ts'
import type { Input, OutputRef } from './pipeline.ts'
import { pinned } from './prepare.ts'
import type { Prepared } from './prepare.ts'

/** The experiment's hash: over its stages' definitions, so it is known before the run and equal on every machine. */
export const experimentHash = (prepared: Prepared): Digest =>
  digestOf(['experiment', KEY_SCHEMA, Object.fromEntries(definitions(prepared))])

/**
 * What each stage is: as its key, but with the definition of a stage that it reads in place of that one's output's
 * content. Stages come each after what it reads.
 */
export function definitions(prepared: Prepared): Map<string, Digest> {
  const known = new Map<string, Digest>()
  for (const stage of prepared.stages) {
    const { code, with: parameters, env, packages } = prepared.identities.get(stage.id)!
    const inputs = Object.entries(stage.in).map(([name, input]) => [name, inputDefinition(prepared, input, known)])
    const definition = {
      code,
      env,
      in: Object.fromEntries(inputs) as Json,
      out: stage.out,
      packages,
      schema: KEY_SCHEMA,
      with: parameters,
    }
    known.set(stage.id, digestOf(definition))
  }
  return known
}

function inputDefinition(prepared: Prepared, input: Input, known: ReadonlyMap<string, Digest>): Json {
  const outputOf = (ref: OutputRef): Json => ({ stage: known.get(ref.stage)!, output: ref.output })
  switch (input.kind) {
    case 'string':
      return { text: pinned(prepared, input.value) }
    case 'path':
      return { content: prepared.sources.get(input.path)! }
    case 'stage':
      return outputOf(input)
    case 'gather':
      return { cells: Object.fromEntries(Object.entries(input.cells).map(([cell, ref]) => [cell, outputOf(ref)])) }
  }
}
