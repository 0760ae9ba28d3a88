import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The package's own install script, which npm does not run here. It is the surest way where its host can be reached, and
 * honours the package's variables: TFJS_NODE_BASE_URI, TFJS_NODE_CDN_STORAGE. The reason where it failed.
 */
export function installPublished(folder: string): string | undefined {
  const manifest = join(folder, 'package.json')
  const before = readFileSync(manifest)
  const script = [join('scripts', 'install.js'), 'gpu', 'download']
  const { status, stdout, stderr } = spawnSync(process.execPath, script, { cwd: folder, encoding: 'utf8' })
  // it writes into its manifest, and where it fails leaves it so
  if (!readFileSync(manifest).equals(before)) writeFileSync(manifest, before)
  if (status === 0) return undefined
  const lines = `${stdout}\n${stderr}`.split('\n')
  return lines.findLast((line) => /Error: /.test(line))?.trim() ?? `exit code ${status}`
}
