import { writeSync } from 'node:fs'
import { apply } from '../../graph/apply.ts'
import { graph as graphOf } from '../../graph/index.ts'
import type { Graph } from '../../graph/index.ts'
import type { Engine, Feed, HalfValue, TensorValue } from '../engine.ts'
import type { Device } from './device.ts'
import type { CudaPrecision } from '../precision.ts'
import { Kernels } from './kernels.ts'
import { CudaMemory } from './memory.ts'
import { plan } from './plan.ts'
import { printPlan } from './print.ts'
import { CudaProgram } from './program.ts'

export interface CudaOptions {
  /**
   * Of matrix products: float32; float32 rounded to 10 bits on the way in; or bfloat16. They are summed up in float32,
   * in which all else is computed and kept.
   */
  readonly precision: CudaPrecision
}

/**
 * Kernels written from the graph, for a card or what stands in for one, which the engine then owns. Same seed, same
 * bytes. With PIPELINE_DEBUG=kernels, what is compiled is printed to standard error.
 */
export function openCuda(device: Device, { precision }: CudaOptions): Engine {
  const kernels = new Kernels(device, precision)
  const compile = <Output extends Feed>(graph: Graph): CudaProgram<Output> => {
    const made = plan(graph, precision)
    if (process.env['PIPELINE_DEBUG'] === 'kernels') writeSync(2, `${printPlan(made)}\n`)
    return new CudaProgram(graph, made, device, kernels)
  }
  return {
    name: 'cuda',
    device: precision === 'fp32' ? `cuda, ${device.name}` : `cuda in ${precision}, ${device.name}`,
    memory: () => new CudaMemory(device),
    compile: (graph) => Promise.resolve().then(() => compile<TensorValue>(graph)),
    compileToHalves: (graph) => Promise.resolve().then(() => compile<HalfValue>(toHalves(graph))),
    room: () => device.room(),
    dispose: () => device.settled().then(() => device.dispose()),
  }
}

function toHalves({ outputs, updates }: Graph): Graph {
  const halves = [...outputs].map(([name, node]) => [name, apply('toHalf', [node], {})] as const)
  return graphOf({ outputs: Object.fromEntries(halves), updates: Object.fromEntries(updates) })
}
