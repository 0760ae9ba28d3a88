import { Failure } from '../../util/failure.ts'

/** A repository of the hub at a revision: `hub:OWNER/REPO@REVISION`, `hub:datasets/OWNER/REPO@REVISION`. */
export interface HubAddress {
  readonly kind: 'models' | 'datasets'
  /** `OWNER/REPO` */
  readonly repository: string
  /** A commit, a tag or a branch. */
  readonly revision: string
}

/** Throws Failure HUB_ADDRESS. */
export function parseHubAddress(source: string): HubAddress {
  const match = /^hub:(datasets\/)?([\w.-]+\/[\w.-]+)@([\w./-]+)$/.exec(source)
  // a path is made of these parts
  if (match && !/(^|\/)\.{1,2}(\/|$)/.test(`${match[2]!}/${match[3]!}`)) {
    return { kind: match[1] === undefined ? 'models' : 'datasets', repository: match[2]!, revision: match[3]! }
  }
  const expected = 'hub:OWNER/REPO@REVISION or hub:datasets/OWNER/REPO@REVISION'
  throw new Failure('HUB_ADDRESS', `"${source}" is no repository of the hub: expected ${expected}.`)
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision)

/** For people and for the cache's folders. */
export const describeAddress = ({ kind, repository, revision }: HubAddress): string =>
  `${kind === 'datasets' ? 'datasets/' : ''}${repository}@${revision}`
