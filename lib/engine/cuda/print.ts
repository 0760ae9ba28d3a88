import { describe } from '../../graph/index.ts'
import type { Call, Plan } from './plan.ts'
import { bytesOf } from './storage.ts'
import type { Pointer, Storage } from './storage.ts'

/** A plan for people: its calls in order, with shapes, bytes and, each once, the kernels' sources. */
export function printPlan({ calls, arena }: Plan): string {
  const shown = new Set<string>()
  const lines = calls.flatMap((call, i) => {
    const source = call.kind === 'launch' && !shown.has(call.source.text) ? [call.source.text] : []
    for (const text of source) shown.add(text)
    return [`${i} ${lineOf(call)}`, ...source]
  })
  return [`${calls.length} calls, ${shown.size} kernels, ${megabytes(arena.bytes)} in the arena`, ...lines].join('\n')
}

function lineOf(call: Call): string {
  switch (call.kind) {
    case 'launch': {
      const { grid, pointers } = call.source
      const nodes = call.nodes.map((node) => `${node.op} ${describe(node)}`).join(', ')
      return `launch ${nodes}: ${grid.blocks[0]} × ${grid.threads} threads; ${pointers.map(pointerOf).join(', ')}`
    }
    case 'multiply': {
      const { batch, m, n, k, transposeA, transposeB, input, accumulate, epilogue } = call.shape
      const form = `${transposeA ? 'Aᵀ' : 'A'}·${transposeB ? 'Bᵀ' : 'B'}`
      const operands = `${pointerOf(call.a)}, ${pointerOf(call.b)}${call.bias ? `, ${epilogue} ${pointerOf(call.bias)}` : ''}`
      return `multiply ${batch} × [${m},${k}]·[${k},${n}] ${form} ${input}: ${operands}; ${accumulate ? '+' : ''}${pointerOf(call.c)}`
    }
    case 'clear':
    case 'clear pads':
      return `${call.kind} ${storageOf(call.storage)}`
    case 'copy':
      return `copy ${pointerOf(call.from)} to ${pointerOf(call.to)}`
  }
}

const pointerOf = ({ storage, offset }: Pointer): string => `${storageOf(storage)}${offset === 0 ? '' : ` + ${offset}`}`

function storageOf(storage: Storage): string {
  const { place, element } = storage
  const name = place.kind === 'input' || place.kind === 'state' ? ` "${place.name}"` : ''
  return `${place.kind}${name} ${element} ${megabytes(bytesOf(storage))}`
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
