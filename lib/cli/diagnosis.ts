import type { Diagnosis, EngineFound } from '../util/diagnosis.ts'
import type { Machine } from '../util/machine.ts'
import { table } from './format.ts'
import { style } from './style.ts'
import { wrap } from './wrap.ts'
import { gib } from '../util/gib.ts'

/** A diagnosis for people, in lines of so many characters: a table, what has no room in it, the choice, advice. */
export function wordDiagnosis(diagnosis: Diagnosis, width: number): string {
  const { engines, auto, autoWhy, advice, machine } = diagnosis
  const wide = rows(diagnosis, Infinity, true)
  const isWide = wide.every((line) => line.length <= width)
  const choice = auto === null ? style('red', 'No engine works here') : `"auto" takes ${style('bold', auto)}`
  const parts = [
    isWide ? wide : rows(diagnosis, width, false),
    engines.flatMap((engine) => details(engine, isWide, width)),
    wrap(`${choice}: ${autoWhy}.`, width, ''),
    advice.length === 0 ? [] : [style('bold', 'To make it faster:'), ...advice.flatMap((one) => wrap(`- ${one}`, width, '  '))], // prettier-ignore
    wrap(machineWords(machine), width, ''),
  ]
  return parts
    .filter((part) => part.length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n')
}

/** A row an engine; where there is room, with what it is and its driver. */
function rows({ engines, auto }: Diagnosis, width: number, isWide: boolean): readonly string[] {
  const precisions = [...new Set(engines.flatMap(({ gflops }) => Object.keys(gflops)))]
  const head = ['', 'engine', 'works', 'device', ...(isWide ? ['backend', 'driver'] : []), 'memory free', ...precisions]
  const cells = engines.map((engine) => [
    engine.name === auto ? '→' : '',
    engine.name,
    states[engine.state],
    engine.device ?? NONE,
    ...(isWide ? [engine.backend ?? NONE, engine.driver ?? NONE] : []),
    memoryWords(engine.memory),
    ...precisions.map((precision) => rate(engine.gflops[precision])),
  ])
  const first = head.length - precisions.length
  const all = alignRight([head, ...cells], first)
  const over = widthOf(all) - width
  if (over > 0) shorten(all, DEVICE, over)
  const lines = table(all).split('\n')
  if (precisions.length === 0) return lines
  return ['GFLOP/s in'.padStart(widthOf(all)), ...lines]
}

const DEVICE = 3

function alignRight(all: readonly string[][], from: number): string[][] {
  const widths = columnWidths(all)
  return all.map((row) => row.map((cell, i) => (i < from ? cell : cell.padStart(widths[i]!))))
}

/** What is cut off stands below the table. */
function shorten(all: readonly string[][], column: number, over: number): void {
  const most = Math.max(8, columnWidths(all)[column]! - over)
  for (const row of all) if (row[column]!.length > most) row[column] = `${row[column]!.slice(0, most - 1)}…`
}

const columnWidths = (all: readonly string[][]): number[] =>
  all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)))

/** Columns are two spaces apart. */
const widthOf = (all: readonly string[][]): number => columnWidths(all).reduce((total, one) => total + one + 2, -2)

const NONE = '–'
const states = { works: 'yes', absent: 'no', wrong: 'wrong', crashed: 'crashed', silent: 'silent' } satisfies Record<
  EngineFound['state'],
  string
>

/** What the table does not say: why it does not work, where its libraries are. */
function details(engine: EngineFound, isWide: boolean, width: number): readonly string[] {
  const { name, works, why, backend, device, driver, libraries, fails } = engine
  const told = [
    ...(isWide ? [] : [backend, device === 'cpu' ? null : device, driver]),
    ...libraries.map((one) => (one.path === null ? null : `${one.name} is ${one.path}`)),
  ].filter((one) => one !== null)
  const troubles = [...(works ? [] : [why]), ...Object.entries(fails).map(([key, one]) => `not in ${key}: ${one}`)]
  const text = [...told, ...troubles]
  return text.length === 0 ? [] : wrap(`${name}: ${text.join('; ')}`, width, '  ')
}

function memoryWords(memory: EngineFound['memory']): string {
  if (memory === null) return NONE
  const { total, free } = memory
  return free === null ? `of ${gib(total)}` : `${(free / 2 ** 30).toFixed(1)} of ${gib(total)}`
}

/** Three digits: `0.751`, `181`, `51,100`. */
const rate = (gflops: number | undefined): string =>
  gflops === undefined ? NONE : Number(gflops.toPrecision(3)).toLocaleString('en')

function machineWords({ cpu, cores, threads, quota, memory, gpus, platform, node }: Machine): string {
  return [
    `${cores} × ${cpu}`,
    ...(threads < cores ? [`${threads} of them for this process`] : []),
    ...(quota === null ? [] : [`a quota of ${quota}`]),
    `${(memory.free / 2 ** 30).toFixed(1)} of ${gib(memory.total)} free`,
    gpus.length === 0 ? 'no graphics card' : gpus.join(', '),
    platform,
    `Node ${node}`,
  ].join(', ')
}
