import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { EngineFacts } from '../util/diagnosis.ts'
import type { Machine } from '../util/machine.ts'

/** Asks the libraries that an engine stands on, which may crash: in a process of its own. */
export type Examine = (machine: Machine) => Promise<EngineFacts>

/** Of an engine that computes on the CPU, in the machine's memory. */
export const onCpu = ({ memory }: Machine, backend: string): EngineFacts => ({
  ...{ backend, device: 'cpu', driver: null, memory, libraries: [], advice: [] },
})

/** `onnxruntime-node 1.30.0`: read from its package.json, as it may not load. */
export function versionOf(name: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? []
  const file = folders.map((folder) => join(folder, name, 'package.json')).find((path) => existsSync(path))
  if (file === undefined) return `${name}, which is not installed`
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return `${name} ${version}`
}
