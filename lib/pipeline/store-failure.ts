import type { Code } from '../util/codes/index.ts'
import { errorCode } from '../util/error-code.ts'
import { Failure } from '../util/failure.ts'
import { messageOf } from './files.ts'

const GONE =
  'The file system does not answer as it should: its disk, its mount or its server failed. Mend it and run again'

/** What a full disk or a missing permission is to whoever runs the pipeline. */
export function storeFailure(error: unknown, doing: string): Failure {
  if (error instanceof Failure) return error
  const code = errorCode(error)
  const advice: Readonly<Record<string, string>> = {
    ENOSPC: 'The disk is full: make room and run again',
    EDQUOT: 'The disk quota is used up: make room and run again',
    EACCES: 'Permission denied: make `artifacts` and `node_modules/.cache` writable',
    EPERM: 'Not permitted: make `artifacts` and `node_modules/.cache` writable',
    EROFS: 'The file system is read-only: run where `artifacts` and `node_modules/.cache` can be written',
    EMFILE: 'Too many open files: raise the limit (`ulimit -n`)',
    ENFILE: 'Too many open files on this machine',
    EIO: GONE,
    ESTALE: GONE,
    ENOTCONN: GONE,
    ENODEV: GONE,
    ENXIO: GONE,
    ETIMEDOUT: GONE,
    EHOSTDOWN: GONE,
    EREMOTEIO: GONE,
  }
  if (code === undefined || advice[code] === undefined) throw error
  return new Failure(nameOf(code, advice[code]), `${advice[code]}. It happened while ${doing}: ${messageOf(error)}`, {
    exitCode: 1,
    cause: error,
  })
}

function nameOf(code: string, advice: string): Code {
  if (advice === GONE) return 'STORE_FAILED'
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'DISK_FULL'
  return code === 'EMFILE' || code === 'ENFILE' ? 'TOO_MANY_FILES' : 'NOT_WRITABLE'
}
