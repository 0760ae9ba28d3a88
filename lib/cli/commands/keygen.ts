import { resolve } from 'node:path'
import { makeSigningKey } from '../../pipeline/remote/signing-key.ts'
import { write, writeError, writeJson } from '../output.ts'

/**
 * `pipeline keygen [FILE]`: a new private key in a file, its public key on standard output. Exit code 2 where the file is
 * there already, or cannot be written.
 */
export function keygen(file = 'signing-key.pem', { json = false }: { readonly json?: boolean }): number {
  const path = resolve(file)
  const publicKey = makeSigningKey(path)
  if (json) {
    writeJson({ file: path, publicKey })
    return 0
  }
  writeError(
    `wrote "${file}", the private key: keep it secret, and out of git. PIPELINE_SIGNING_KEY=${file} signs with it.`,
  )
  writeError('Its public key, for the list `trust:` in pipeline.yaml:')
  write(publicKey)
  return 0
}
