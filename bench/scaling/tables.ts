import type { Figure } from '../figures.ts'
import { markdownTable } from '../readme/markdown.ts'
import type { Benches } from '../readme/speed.ts'
import type { Simulated } from '../simulate/simulation.ts'

/** What the teacher pass costs is worked out for: GPT-Neo-2.7B, as published. */
const TEACHER = { weights: 2.65e9, width: 2560 }
/** An assumption, not an offer: what an hour of one GPU costs. */
export const DOLLARS_A_GPU_HOUR = 3
/** Object storage, in dollars for 10^9 bytes and month: S3 Standard's list price. */
export const DOLLARS_A_GB_MONTH = 0.023

/** Bytes a token; see the README for what each form is good for. */
export const FORMS = {
  '`hidden`, F16': 2 * TEACHER.width,
  '`hidden`, I8': TEACHER.width + 4,
  '`topk`, 64 of three temperatures': 3 * 4 + 64 * (2 + 2),
  '`sampled`, 12': 4 + 12 * 2,
}

const CORPORA = {
  'WikiText-2': 2.39e6,
  'a billion tokens': 1e9,
  'FineWeb-Edu, 100 billion': 1e11,
  'a web crawl, 10^13': 1e13,
}

export interface Rates {
  /** Tokens/s of the whole teacher on one GPU, and operations/s of large products. */
  readonly ours: number
  readonly peer: number
  readonly products: number
  /** Of a step of GPT-2 124M, 8 × 1,024 tokens, in s. */
  readonly step: number
}

/** On the one GPU that was measured; undefined where it was not. */
export function ratesOf(benches: Benches): Rates | undefined {
  const find = (bench: string, what: RegExp): Figure | undefined =>
    benches[bench]?.figures.find((figure: Figure) => what.test(figure.what))
  const teacher = find('gpu-teacher', /^teacher of 32 layers, once it is there, cuda in bf16/)
  const products = find('gpu-train-step', /^products of 8192², cuda in bf16/)
  const step = find('gpu-train-step', /^a step of 8 × 1024 tokens, cuda in bf16/)
  if (teacher?.peer == null || products === undefined || step === undefined) return undefined
  return {
    ours: teacher.ours,
    peer: teacher.peer,
    products: products.ours * 1e12,
    step: step.ours / 1000,
  }
}

/** Hours and money of one pass over each corpus. */
export function passTable({ ours, peer, products }: Rates): string {
  const bound = products / (2 * TEACHER.weights)
  const head = [
    'corpus',
    'tokens',
    ...[`ours, ${count(ours)} tokens/s`, `PyTorch, ${count(peer)}`, `bound, ${count(bound)}`],
  ]
  const rows = Object.entries(CORPORA).map(([name, tokens]) => [
    name,
    exponent(tokens),
    ...[ours, peer, bound].map(
      (rate) => `${count(tokens / rate / 3600)} h, $${count((DOLLARS_A_GPU_HOUR * tokens) / rate / 3600)}`,
    ),
  ])
  return markdownTable(head, rows)
}

/** Bytes of the targets, and what keeping them costs a month. */
export function bytesTable(): string {
  const head = ['corpus', ...Object.entries(FORMS).map(([name, bytes]) => `${name}: ${bytes} B a token`)]
  const rows = Object.entries(CORPORA).map(([name, tokens]) => [
    name,
    ...Object.values(FORMS).map(
      (bytes) => `${size(bytes * tokens)}, $${count((DOLLARS_A_GB_MONTH * bytes * tokens) / 1e9)}`,
    ),
  ])
  return markdownTable(head, rows)
}

/** Weights of the student whose gradients are added up, in bytes of fp32. */
const GRADIENTS = 4 * 124.4e6
/** Bytes/s each way of one device. */
const LINKS = {
  'NVLink 4 (450 GB/s)': 450e9,
  'PCIe 5 ×16 (64 GB/s)': 64e9,
  '400 Gb/s network': 50e9,
  '100 Gb/s network': 12.5e9,
  '10 Gb/s network': 1.25e9,
}
const DEVICES = [2, 8, 64]

/** How much faster so many devices are, each with the measured step, where nothing of the transport is hidden behind it. */
export function parallelTable({ step }: Rates): string {
  const head = ['link', ...DEVICES.map((devices) => `${devices} devices`)]
  const rows = Object.entries(LINKS).map(([name, rate]) => [
    name,
    ...DEVICES.map((devices) => {
      const sum = ringSeconds(devices, rate)
      return `+${count(1000 * sum)} ms, ${count((devices * step) / (step + sum))} times`
    }),
  ])
  return markdownTable(head, rows)
}

/** 2 (N − 1) / N of the gradients go over each link (Patarasuk and Yuan 2009). */
export const ringSeconds = (devices: number, rate: number): number => (2 * (devices - 1) * GRADIENTS) / devices / rate

/** `bench/scaling/simulated.json`: what `npm run simulate -- --json` printed. */
export interface Recorded {
  readonly nodes: number
  readonly shards: number
  readonly seconds: number
  readonly result: Simulated
}

export function simulatedTable(runs: readonly Recorded[]): string {
  const head = [
    'shards',
    'nodes',
    'makespan ÷ bound',
    'CPU of the driver',
    'a task',
    'memory',
    'sbatch',
    'squeue',
    'files opened a task',
  ]
  const rows = runs.map(({ nodes, shards, result: { makespan, bound, driver, scheduler, store } }) => [
    ...[shards, nodes].map((value) => value.toLocaleString('en')),
    (makespan / bound).toFixed(3),
    `${count(driver.cpu)} s`,
    `${((1000 * driver.cpu) / shards).toFixed(2)} ms`,
    `${count(driver.peakBytes / 2 ** 20)} MiB`,
    ...[scheduler['sbatch'], scheduler['squeue']].map((value) => (value ?? 0).toLocaleString('en')),
    ((store['openSync'] ?? 0) / shards).toFixed(1),
  ])
  return markdownTable(head, rows)
}

const exponent = (value: number): string => value.toExponential(1).replace('e+', ' · 10^')
const count = (value: number): string =>
  Number(value.toPrecision(2)).toLocaleString('en', { maximumSignificantDigits: 2 })

function size(bytes: number): string {
  const units = ['MB', 'GB', 'TB', 'PB']
  const power = Math.min(3, Math.max(0, Math.floor(Math.log10(bytes) / 3) - 2))
  return `${count(bytes / 10 ** (6 + 3 * power))} ${units[power]!}`
}
