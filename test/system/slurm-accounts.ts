import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { programOf } from './debian.ts'

/** A line of slurm.conf. */
export const ACCOUNTS = 'AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=127.0.0.1'

type Spawn = (program: string, args: readonly string[], env: Record<string, string>) => void

/** Starts the accounts of the cluster in a folder: slurmdbd, which keeps them in a MariaDB that has a socket alone. */
export async function startAccounts(root: string, spawn: Spawn): Promise<void> {
  for (const [program, name] of [
    ['mariadbd', 'mariadb-server'],
    ['mariadb-install-db', 'mariadb-server'],
    ['slurmdbd', 'slurmdbd'],
  ] as const)
    programOf(program, name)
  const [data, socket] = [join(root, 'data'), join(root, 'db.sock')]
  mkdirSync(data)
  const own = ['--no-defaults', '--user=root', `--datadir=${data}`]
  const install = [...own, '--skip-test-db', '--auth-root-authentication-method=socket']
  execFileSync('mariadb-install-db', install, { stdio: ['ignore', 'ignore', 'inherit'] })
  spawn('mariadbd', [...own, `--socket=${socket}`, '--skip-networking', `--pid-file=${join(root, 'db.pid')}`], {})
  await until(() => answers('mariadb-admin', ['--no-defaults', `--socket=${socket}`, 'ping']))
  writeFileSync(join(root, 'slurmdbd.conf'), configuration(root), { mode: 0o600 })
  // where the client library looks for the database, as slurmdbd has no setting for it
  spawn('slurmdbd', ['-D'], { MYSQL_UNIX_PORT: socket })
  await until(() => answers('sacctmgr', ['--immediate', 'add', 'cluster', 'test']))
}

function configuration(root: string): string {
  const conf = readFileSync(join(root, 'slurm.conf'), 'utf8')
  const shared = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(conf)![1]!
  return [
    'AuthType=auth/munge',
    `AuthInfo=${shared('AuthInfo')}`,
    'DbdHost=localhost',
    'DbdAddr=127.0.0.1',
    `DbdPort=${shared('AccountingStoragePort')}`,
    'SlurmUser=root',
    'StorageType=accounting_storage/mysql',
    'StorageHost=localhost',
    'StorageUser=root',
    `PidFile=${join(root, 'slurmdbd.pid')}`,
    `LogFile=${join(root, 'log/slurmdbd')}`,
    '',
  ].join('\n')
}

const answers = (program: string, args: readonly string[]): boolean =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0

async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 60_000
  while (!holds()) {
    if (Date.now() > end) throw new Error('the accounts of Slurm do not answer')
    await delay(100)
  }
}
