import { createHash } from 'node:crypto'
import { tilesPreludeFor, usesTiles } from './attention/tiles.ts'
import type { Device, Kernel } from './device.ts'
import type { CudaPrecision } from '../precision.ts'
import { preludeFor } from './prelude.ts'

/** The kernels of an engine: those with the same text are compiled once. */
export class Kernels {
  private readonly device: Device
  private readonly precision: CudaPrecision
  private readonly known = new Map<string, Kernel>()

  constructor(device: Device, precision: CudaPrecision) {
    this.device = device
    this.precision = precision
  }

  /** By their texts, in which the name is `NAME`. */
  make(texts: readonly string[]): ReadonlyMap<string, Kernel> {
    const fresh = [...new Set(texts)].filter((text) => !this.known.has(text))
    if (fresh.length > 0) {
      const { source, names } = unitOf(fresh, this.precision)
      this.device.compile(source, names).forEach((kernel, i) => this.known.set(fresh[i]!, kernel))
    }
    return this.known
  }
}

/** One text for the compiler, and the names of its kernels in the order given. */
export function unitOf(
  texts: readonly string[],
  precision: CudaPrecision,
): { readonly source: string; readonly names: readonly string[] } {
  const names = texts.map((text) => `k${createHash('sha256').update(text).digest('hex').slice(0, 16)}`)
  const kernels = texts.map((text, i) => text.replaceAll('NAME', names[i]!))
  return {
    source: [preludeFor(precision), ...(texts.some(usesTiles) ? [tilesPreludeFor(precision)] : []), ...kernels].join(
      '\n',
    ),
    names,
  }
}
