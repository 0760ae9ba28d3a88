import { execFile } from 'node:child_process'
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { promisify } from 'node:util'
import type { JsonObject } from '../util/json.ts'

/** What an experiment was run on. */
export function machine(): JsonObject {
  const cpu = cpus()[0]?.model ?? ''
  return {
    platform: platform(),
    release: release(),
    arch: arch(),
    cpu,
    cores: availableParallelism(),
    memory: totalmem(),
    node: process.version,
  }
}

/** The commit of a folder, and whether its tracked files differ from it. */
export async function gitState(
  root: string,
): Promise<{ readonly commit: string | null; readonly dirty: boolean | null }> {
  try {
    const commit = (await git(root, ['rev-parse', 'HEAD'])).trim()
    const dirty = (await git(root, ['status', '--porcelain', '--untracked-files=no'])).trim() !== ''
    return { commit, dirty }
  } catch {
    return { commit: null, dirty: null } // no git, or no repository
  }
}

/** What git prints, run in a folder. */
export const git = async (root: string, args: readonly string[]): Promise<string> =>
  (await promisify(execFile)('git', ['-C', root, ...args])).stdout
