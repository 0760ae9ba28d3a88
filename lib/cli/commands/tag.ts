import { deleteTag, tagExperiment } from '../../pipeline/tag.ts'
import { Failure } from '../../util/failure.ts'
import { write, writeJson } from '../output.ts'

export interface TagArguments {
  readonly delete?: string
  readonly json?: boolean
}

/** `pipeline tag HASH NAME`, `pipeline tag --delete NAME`. Throws Failure TAG_…, EXPERIMENT_…. */
export function tag(hash: string | undefined, name: string | undefined, options: TagArguments): number {
  if (options.delete !== undefined && hash === undefined) return takeOff(options.delete, options.json === true)
  if (options.delete !== undefined || hash === undefined || name === undefined) {
    throw new Failure('TAG_INCOMPLETE', 'Write `pipeline tag HASH NAME`, or `pipeline tag --delete NAME`.')
  }
  const tagged = tagExperiment(process.cwd(), hash, name)
  if (!tagged.ok) throw tagged.error
  const { before } = tagged.value
  if (options.json === true) writeJson(tagged.value)
  else {
    const moved = before === null ? '' : `, and no longer ${before.slice(0, 16)}`
    write(`${name} is ${tagged.value.hash.slice(0, 16)}${moved}`)
  }
  return 0
}

function takeOff(name: string, json: boolean): number {
  const taken = deleteTag(process.cwd(), name)
  if (!taken.ok) throw taken.error
  if (json) writeJson({ tag: name, hash: null, before: taken.value })
  else write(`${name} was ${taken.value.slice(0, 16)}`)
  return 0
}
