import { execFileSync, spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The path of a program, whose Debian package is installed first where it is not there. Throws where it cannot be. */
export function programOf(name: string, debianPackage = name): string {
  const known = which(name)
  if (known !== undefined) return known
  const install = `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${debianPackage}`
  // two test files run at once, and apt-get refuses to be one of two
  execFileSync('flock', [join(tmpdir(), 'distil-apt.lock'), 'sh', '-c', install], {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  const found = which(name)
  if (found === undefined) throw new Error(`apt-get installed "${debianPackage}", which brought no "${name}"`)
  return found
}

function which(name: string): string | undefined {
  const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}
