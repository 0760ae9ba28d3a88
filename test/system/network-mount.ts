import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { programOf } from './debian.ts'

const SERVER = '/usr/lib/openssh/sftp-server'

/** A mount of a folder by sshfs, whose server is a process of this machine that it talks to by a pipe. */
export interface NetworkMount {
  readonly path: string
  /** What a server that dies leaves: a mount that does not answer. */
  readonly lose: () => Promise<void>
  readonly unmount: () => void
}

/** Its times are of whole seconds, what it knows of files may be 5 s old, and it does not say what a rename failed of. */
export async function networkMount(folder: string, path: string): Promise<NetworkMount> {
  const sshfs = programOf('sshfs')
  programOf(SERVER, 'openssh-sftp-server')
  mkdirSync(path, { recursive: true })
  const server = join(path, '..', 'server.sh')
  writeFileSync(server, `#!/bin/sh\nexec ${SERVER}\n`)
  chmodSync(server, 0o755)
  const client = spawn(sshfs, ['-f', `server:${folder}`, path, '-o', `ssh_command=${server},dcache_timeout=5`], {
    stdio: 'inherit',
  })
  while (!isMounted(path)) await delay(20)
  const unmount = (): void => void execFileSync('fusermount3', ['-u', '-z', path])
  return { path, lose: () => end(client), unmount }
}

async function end(client: ChildProcess): Promise<void> {
  const ended = once(client, 'exit')
  client.kill('SIGKILL')
  await ended
}

const isMounted = (path: string): boolean => readFileSync('/proc/self/mounts', 'utf8').includes(` ${path} fuse.sshfs `)
