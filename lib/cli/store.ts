import { join } from 'node:path'
import { projectAt } from '../pipeline/project.ts'
import { StatCache } from '../pipeline/stat-cache.ts'
import { Store } from '../pipeline/store.ts'

/** The results of the folder that the command is called in. */
export function storeHere(): { readonly root: string; readonly store: Store } {
  const root = process.cwd()
  return { root, store: new Store(join(root, 'artifacts'), new StatCache(projectAt(root).cache)) }
}
