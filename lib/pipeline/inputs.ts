import { nearest } from '../util/nearest.ts'
import { toRecord } from '../util/record.ts'
import { isRemote, parseRemote } from '../util/remote.ts'
import { NO_CELL } from './matrix.ts'
import type { Cell } from './matrix.ts'
import type { Input, OutputRef } from './pipeline.ts'
import { someOf } from './problems.ts'
import type { Problems } from './problems.ts'
import type { Paths } from './paths.ts'
import type { Spot } from './source.ts'

/** What a stage offers to others. Without cells or outputs where these are wrong, which is reported elsewhere. */
export interface Producer {
  readonly name: string
  readonly cells: readonly Cell[] | undefined
  readonly outputs: ReadonlyMap<string, unknown> | undefined
}

/** `stage.output`, or `stage[cell].output`. */
const REFERENCE = /^([^./\\[\]]+)(?:\[([^[\]]*)\])?\.([^./\\[\]]+)$/

/** Reads the sources of `in:`, matched or gathered over the cells of their stages. */
export class Inputs {
  readonly #producers: ReadonlyMap<string, Producer>
  readonly #paths: Paths
  readonly #problems: Problems
  readonly #groups = new Map<string, ReadonlyMap<string, readonly Cell[]>>()
  readonly #gathered = new Map<string, Input>()

  constructor(producers: ReadonlyMap<string, Producer>, paths: Paths, problems: Problems) {
    this.#producers = producers
    this.#paths = paths
    this.#problems = problems
  }

  /** The input that a source means to one cell of its reader. Undefined after a problem. */
  read(source: string, at: Spot, reader: Cell): Input | undefined {
    const scheme = /^(file|builtin):/.exec(source)?.[1]
    if (scheme === 'file') return this.#paths.file(source.slice(5), at)
    if (scheme === 'builtin') return this.#paths.builtin(source.slice(8), at)
    if (isRemote(source)) return this.#remote(source, at)
    const producer = this.#producerOf(source)
    if (producer) return this.#reference(source, producer, at, reader)
    return this.#paths.has(source) ? this.#paths.file(source, at) : this.#unknown(source, at)
  }

  /** The one output that `metrics:` or `page:` means. */
  output(source: string, at: Spot): OutputRef | undefined {
    const producer = this.#producerOf(source)
    const input = producer ? this.#reference(source, producer, at, NO_CELL) : this.#unknown(source, at)
    if (input?.kind === 'stage') return { stage: input.stage, output: input.output }
    if (input)
      this.#problems.add('INPUT_INVALID', at, `"${source}" is one output a cell. Name a cell: stage[cell].output.`)
    return undefined
  }

  #producerOf(source: string): Producer | undefined {
    const name = REFERENCE.exec(source)?.[1] ?? source
    return this.#producers.get(name)
  }

  #reference(source: string, producer: Producer, at: Spot, reader: Cell): Input | undefined {
    const [, name, cell, output] = REFERENCE.exec(source) ?? []
    if (!producer.cells || !producer.outputs) return undefined
    if (name === undefined || output === undefined || !producer.outputs.has(output)) {
      return this.#unknownOutput(source, output, producer, producer.outputs, at)
    }
    if (cell !== undefined) return this.#cell(producer, producer.cells, cell, output, at)
    if (producer.cells[0]?.name === '') return { kind: 'stage', stage: name, output }
    return this.#match(producer, producer.cells, output, at, reader)
  }

  #cell(producer: Producer, cells: readonly Cell[], cell: string, output: string, at: Spot): Input | undefined {
    if (this.#group(producer, cells, '*', ({ name }) => name).has(cell)) {
      return { kind: 'stage', stage: idOf(producer, cell), output }
    }
    const names = cells.map(({ name }) => name)
    const near = nearest(cell, names)
    const advice =
      near === undefined ? ` It has: ${someOf(names)}.` : ` Did you mean "${idOf(producer, near)}.${output}"?`
    this.#problems.add(
      'CELL_UNKNOWN',
      at,
      `"${producer.name}" has no cell "${cell}".${names[0] === '' ? ' It has no matrix.' : advice}`,
    )
    return undefined
  }

  /** Axes that reader and producer share are matched by the names of their values; the others are gathered. */
  #match(producer: Producer, cells: readonly Cell[], output: string, at: Spot, reader: Cell): Input | undefined {
    const axes = Object.keys(cells[0]?.at ?? {})
    const shared = axes.filter((axis) => reader.at[axis] !== undefined)
    const group = this.#group(producer, cells, shared.join(), (cell) => shared.map((axis) => cell.at[axis]).join())
    const wanted = shared.map((axis) => reader.at[axis]).join()
    const found = group.get(wanted)
    if (!found) return this.#noCell(producer, shared, reader, at)
    if (shared.length === axes.length) return { kind: 'stage', stage: idOf(producer, found[0]!.name), output }
    const id = JSON.stringify([producer.name, output, shared, wanted])
    const gathered =
      this.#gathered.get(id) ??
      gather(
        producer,
        found,
        output,
        axes.filter((axis) => !shared.includes(axis)),
      )
    this.#gathered.set(id, gathered)
    return gathered
  }

  #group(
    producer: Producer,
    cells: readonly Cell[],
    id: string,
    keyOf: (cell: Cell) => string,
  ): ReadonlyMap<string, readonly Cell[]> {
    const known = this.#groups.get(`${producer.name} ${id}`)
    if (known) return known
    const groups = new Map<string, Cell[]>()
    for (const cell of cells) {
      const group = groups.get(keyOf(cell))
      if (group) group.push(cell)
      else groups.set(keyOf(cell), [cell])
    }
    this.#groups.set(`${producer.name} ${id}`, groups)
    return groups
  }

  #noCell(producer: Producer, shared: readonly string[], reader: Cell, at: Spot): Input | undefined {
    const wanted = shared.map((axis) => `${axis} "${reader.at[axis] ?? ''}"`).join(' and ')
    const advice = 'Give both stages the same values on the axis that they share, or name the axis otherwise.'
    this.#problems.add('CELL_UNKNOWN', at, `"${producer.name}" has no cell with ${wanted}. ${advice}`)
    return undefined
  }

  #remote(source: string, at: Spot): Input | undefined {
    const remote = parseRemote(source)
    if (remote.ok) return { kind: 'string', value: source }
    this.#problems.add('INPUT_INVALID', at, remote.error)
    return undefined
  }

  #unknownOutput(
    source: string,
    output: string | undefined,
    { name }: Producer,
    outputs: ReadonlyMap<string, unknown>,
    at: Spot,
  ): Input | undefined {
    const near = output === undefined ? undefined : nearest(output, outputs.keys())
    const names = [...outputs.keys()].map((each) => `${name}.${each}`)
    const there = names.length === 0 ? 'It declares no `out`.' : `It has: ${someOf(names)}.`
    const advice = near === undefined ? there : `Did you mean "${name}.${near}"?`
    const subject =
      output === undefined
        ? `"${source}" is a stage, not one of its outputs.`
        : `The stage "${name}" has no output "${output}".`
    this.#problems.add('OUTPUT_UNKNOWN', at, `${subject} ${advice} A file of that name is written "file:${source}".`)
    return undefined
  }

  #unknown(source: string, at: Spot): Input | undefined {
    const [, stage, cell, output] = REFERENCE.exec(source) ?? []
    const near = nearest(stage ?? source, this.#producers.keys())
    if (near === undefined || stage === undefined) {
      const file = this.#paths.nearest(source)
      const advice = file === undefined ? someForms(this.#producers.keys()) : `Did you mean "${file}"?`
      this.#problems.add('INPUT_MISSING', at, `There is no stage output and no file "${source}". ${advice}`)
    } else {
      const meant = `${near}${cell === undefined ? '' : `[${cell}]`}.${this.#nearestOutput(near, output ?? '')}`
      this.#problems.add(
        'STAGE_UNKNOWN',
        at,
        `There is no stage "${stage}" and no file "${source}". Did you mean "${meant}"?`,
      )
    }
    return undefined
  }

  #nearestOutput(stage: string, output: string): string {
    const outputs = this.#producers.get(stage)?.outputs
    return outputs?.has(output) === false ? (nearest(output, outputs.keys()) ?? output) : output
  }
}

const someForms = (stages: Iterable<string>): string =>
  `Write stage.output (stages: ${someOf(stages)}), or a path relative to pipeline.yaml, file:PATH, builtin:NAME.`

const idOf = ({ name }: Producer, cell: string): string => (cell === '' ? name : `${name}[${cell}]`)

function gather(producer: Producer, cells: readonly Cell[], output: string, axes: readonly string[]): Input {
  const refs = cells.map((cell) => {
    const name = axes.map((axis) => cell.at[axis] ?? '').join()
    return [name, { stage: idOf(producer, cell.name), output }] as const
  })
  return { kind: 'gather', cells: toRecord(refs) }
}
