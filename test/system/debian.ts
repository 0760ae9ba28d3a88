import { execFileSync, spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Tests of other processes may want to install something too, and apt-get waits for nobody. */
const LOCK = join(tmpdir(), 'pipeline-tests-apt.lock')

/** The path of a program, whose Debian package is installed first where it is not there. Throws where it cannot be. */
export function programOf(name: string, debianPackage = name): string {
  const known = which(name)
  if (known !== undefined) return known
  const install = `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${debianPackage}`
  execFileSync('flock', [LOCK, 'sh', '-c', install], {
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
