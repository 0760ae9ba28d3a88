import { resolve } from 'node:path'
import { err, ok } from '../../util/result.ts'
import type { Result } from '../../util/result.ts'

/** Where a remote store is; `text` is how the user wrote it. */
export type RemoteAddress =
  | { readonly kind: 'file'; readonly text: string; readonly folder: string }
  /** `prefix` is empty or ends with `/`. */
  | { readonly kind: 's3'; readonly text: string; readonly bucket: string; readonly prefix: string }

const FORMS = 'Write file:PATH or s3://BUCKET/PREFIX.'

/** `file:PATH`, relative to `root`, or `s3://BUCKET/PREFIX`; an error says what is wrong and how it is written. */
export function parseAddress(text: string, root: string): Result<RemoteAddress, string> {
  const path = /^file:(?:\/\/(?=\/))?(.+)$/.exec(text)?.[1]
  if (path !== undefined) return ok({ kind: 'file', text, folder: resolve(root, path) })
  const s3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text)
  if (s3 === null) return err(`"${text}" is no address of a remote store. ${FORMS}`)
  const parts = (s3[2] ?? '').split('/').filter((part) => part !== '')
  if (parts.includes('.') || parts.includes('..')) return err(`"${text}" has "." or ".." in its prefix. ${FORMS}`)
  return ok({ kind: 's3', text, bucket: s3[1]!, prefix: parts.map((part) => `${part}/`).join('') })
}
