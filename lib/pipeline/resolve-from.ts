import { register } from 'node:module'
import { pathToFileURL } from 'node:url'

/** Runs in the thread of Node's module hooks. */
const HOOK = `
let from
export const initialize = (url) => { from = url }
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context)
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || /^(\\.|\\/|[\\w-]+:)/.test(specifier)) throw error
    return next(specifier, { ...context, parentURL: from })
  }
}`

/**
 * The bundle of a stage that comes in a package lies in the project's cache, from where the packages that it imports are
 * not found if they lie beside that package alone (pnpm, a link). They are looked for from its own file then.
 */
export const resolveFrom = (file: string): void =>
  register(`data:text/javascript,${encodeURIComponent(HOOK)}`, { data: pathToFileURL(file).href })
