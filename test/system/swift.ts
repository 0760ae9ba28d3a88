import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { programOf } from './debian.ts'
import { answers, freePort, stop, until } from './trackers.ts'

export interface Swift {
  readonly address: string
  /** Who may make buckets. */
  readonly env: Readonly<Record<string, string>>
  readonly stop: () => Promise<void>
}

const KINDS = ['account', 'container', 'object'] as const

/**
 * OpenStack's object store, as Debian has it, on one disk and with one copy of each object: its proxy speaks S3, and its
 * servers keep accounts, buckets and objects in processes of their own.
 */
export async function startSwift(): Promise<Swift> {
  const debian = ['proxy', ...KINDS].map((kind) => `swift-${kind}`).join(' ')
  for (const kind of ['proxy', ...KINDS]) programOf(`swift-${kind}-server`, debian)
  const folder = mkdtempSync(join(tmpdir(), 'swift-'))
  const started: ChildProcess[] = []
  const end = async (): Promise<void> => {
    await Promise.all(started.map(stop))
    rmSync(folder, { recursive: true, maxRetries: 5 })
  }
  try {
    mkdirSync(join(folder, 'disks/one'), { recursive: true })
    writeFileSync(join(folder, 'swift.conf'), '[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n')
    // the proxy shuns a server that was not there when it was asked
    for (const kind of KINDS) {
      const port = await freePort()
      makeRing(folder, kind, port)
      await start(started, folder, kind, port, storageConf(folder, kind, port))
    }
    const port = await freePort()
    const address = await start(started, folder, 'proxy', port, proxyConf(folder, port))
    const env = { AWS_ACCESS_KEY_ID: 'test:tester', AWS_SECRET_ACCESS_KEY: 'testing', AWS_REGION: 'us-east-1' }
    return { address, env, stop: end }
  } catch (error) {
    await end()
    throw error
  }
}

/** Where a server's objects lie: 64 parts on one disk. */
function makeRing(folder: string, kind: string, port: number): void {
  const builder = join(folder, `${kind}.builder`)
  const make = (...args: string[]): void => {
    execFileSync('swift-ring-builder', [builder, ...args], { stdio: ['ignore', 'ignore', 2] })
  }
  make('create', '6', '1', '1')
  make('add', `r1z1-127.0.0.1:${port}/one`, '100')
  make('rebalance')
}

const common = (folder: string, port: number): string => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${process.env['USER'] ?? 'root'}
swift_dir = ${folder}
log_address = ${folder}/no-syslog
`

const storageConf = (
  folder: string,
  kind: string,
  port: number,
): string => `${common(folder, port)}devices = ${folder}/disks
mount_check = false
fallocate_reserve = 0
[pipeline:main]
pipeline = healthcheck ${kind}-server
[filter:healthcheck]
use = egg:swift#healthcheck
[app:${kind}-server]
use = egg:swift#${kind}
`

const proxyConf = (folder: string, port: number): string => `${common(folder, port)}
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 20
node_timeout = 60
allow_account_management = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
${['catch_errors', 'gatekeeper', 'healthcheck', 'listing_formats', 'slo', 'dlo'].map((name) => `[filter:${name}]\nuse = egg:swift#${name}\n`).join('')}`

/** Gives the server's address once it answers. */
async function start(
  started: ChildProcess[],
  folder: string,
  kind: string,
  port: number,
  conf: string,
): Promise<string> {
  const file = join(folder, `${kind}.conf`)
  writeFileSync(file, conf)
  const program = `swift-${kind}-server`
  const child = spawn(program, [file, '--verbose'], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  started.push(child)
  const errors: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const address = `http://127.0.0.1:${port}`
  await until(
    () => {
      if (child.exitCode !== null) return Promise.reject(new Error(`${program}: ${errors.join('')}`))
      return answers(`${address}/healthcheck`)
    },
    (isUp) => isUp,
  )
  return address
}
