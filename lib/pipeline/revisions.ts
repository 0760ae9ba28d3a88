import { Failure } from '../util/failure.ts'
import { isCommit, parseRemote } from '../util/remote.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import { placeOf } from './check-module.ts'
import type { Stage } from './pipeline.ts'

/** Gives the commit of each of these `hub:` sources, which name a branch or a tag, or why it is not known. */
export type ResolveRevisions = (sources: readonly string[]) => Promise<readonly Result<string, Failure>[]>

/**
 * What a branch or tag means may change between two runs, so that no key is made from its name: the sources of the
 * stages that have such a revision, as written, to the same with the commit that it is now.
 */
export async function pinRevisions(
  stages: readonly Stage[],
  resolve: ResolveRevisions,
): Promise<Result<ReadonlyMap<string, string>, Failure[]>> {
  const moving = movingSources(stages)
  const sources = [...moving.keys()]
  const commits = sources.length === 0 ? [] : await resolve(sources)
  const pinned = new Map<string, string>()
  const failures: Failure[] = []
  for (const [index, commit] of commits.entries()) {
    const source = sources[index]!
    if (commit.ok) pinned.set(source, source.replace(/@.*/, `@${commit.value}`))
    else failures.push(placed(commit.error, moving.get(source)!))
  }
  return failures.length > 0 ? err(failures) : ok(pinned)
}

interface Reader {
  readonly stage: Stage
  readonly input: string
}

/** Each with the first input that has it. */
function movingSources(stages: readonly Stage[]): ReadonlyMap<string, Reader> {
  const found = new Map<string, Reader>()
  for (const stage of stages) {
    for (const [name, input] of Object.entries(stage.in)) {
      if (input.kind === 'string' && isMoving(input.value) && !found.has(input.value)) {
        found.set(input.value, { stage, input: name })
      }
    }
  }
  return found
}

function isMoving(source: string): boolean {
  const remote = parseRemote(source)
  return remote.ok && remote.value.site === 'hub' && !isCommit(remote.value.revision)
}

const placed = ({ code, message, exitCode }: Failure, { stage, input }: Reader): Failure =>
  new Failure(code, `Input "${input}" of stage "${stage.id}": ${message}`, {
    exitCode,
    place: placeOf(stage, `in.${input}`),
  })
