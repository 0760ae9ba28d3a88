import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const EVERY_MS = 100

/** Watches a process and all that it starts; what is given back ends that and gives the most bytes seen at once. */
export function watchMemory(pid: number): () => number {
  let peak = 0
  const sample = () => (peak = Math.max(peak, residentOfTree(pid)))
  const timer = setInterval(sample, EVERY_MS)
  return () => {
    clearInterval(timer)
    return peak
  }
}

/**
 * Resident bytes of a process and all its descendants, from Linux's /proc: `VmRSS` of each, summed, so that a page which
 * two of them share counts twice.
 */
export function residentOfTree(root: number, proc = '/proc'): number {
  const processes = new Map(
    readdirSync(proc)
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), readStatus(join(proc, name, 'status'))]),
  )
  let bytes = 0
  const tree = new Set([root])
  // a Set's iteration goes on to what is added on the way
  for (const pid of tree) {
    bytes += processes.get(pid)?.resident ?? 0
    for (const [child, { parent }] of processes) if (parent === pid) tree.add(child)
  }
  return bytes
}

function readStatus(file: string): { readonly parent: number; readonly resident: number } {
  try {
    const text = readFileSync(file, 'utf8')
    const value = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0)
    return { parent: value('PPid'), resident: 1024 * value('VmRSS') }
  } catch {
    return { parent: 0, resident: 0 } // it has ended meanwhile
  }
}
