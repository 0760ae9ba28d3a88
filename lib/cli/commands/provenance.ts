import { resolve } from 'node:path'
import { writeCrate } from '../../pipeline/provenance/write.ts'
import { write, writeFailures, writeJson } from '../output.ts'
import { storeHere } from '../store.ts'

export interface ProvenanceArguments {
  readonly to: string
  readonly json?: boolean
}

/** `pipeline provenance HASH --to DIR`: an experiment as an RO-Crate, each result's making as an in-toto statement. */
export function provenance(hash: string, { to, json }: ProvenanceArguments): number {
  const { root, store } = storeHere()
  const folder = resolve(to)
  const written = writeCrate(root, store, hash, folder)
  if (!written.ok) {
    writeFailures([written.error], json === true)
    return written.error.exitCode
  }
  if (json === true) writeJson({ folder, files: written.value })
  else write(`${folder}\n${written.value.map((path) => `  ${path}`).join('\n')}`)
  return 0
}
