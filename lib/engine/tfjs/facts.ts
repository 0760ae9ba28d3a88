import { onCpu, versionOf } from '../facts.ts'
import type { Examine } from '../facts.ts'

/** Of a backend of TensorFlow.js that computes on the CPU. */
export const examineTfjs =
  (backend: string, packageName: string): Examine =>
  (machine) =>
    Promise.resolve(onCpu(machine, `${backend} of ${versionOf(packageName)}`))
