import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { figure } from './figures.ts'
import type { Bench, Figure, Samples } from './figures.ts'
import { dvc, npm, pnpm, runners, yarn } from './install/managers.ts'
import type { Installer } from './install/managers.ts'
import { bytesOf, pack, packagesBySize, run } from './install/packed.ts'
import type { Packed } from './install/packed.ts'
import { warnOfLoad } from './load.ts'

const TURNS = 3
const MB = 1e6

export const install: Bench = {
  about: 'the size of the package and of what it needs, and the time to install it and to its first result',
  run: () => {
    warnOfLoad()
    const scratch = mkdtempSync(join(tmpdir(), 'install-'))
    try {
      return Promise.resolve(measure(scratch))
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  },
}

interface Installed {
  readonly name: string
  /** Seconds with an empty cache, and with one that has all. */
  readonly cold: readonly number[]
  readonly warm: readonly number[]
  readonly bytes: number
  readonly folder: string
}

function measure(scratch: string): readonly Figure[] {
  const packed = pack(scratch)
  const ours = [npm([packed.tarball]), pnpm(packed.tarball), yarn(packed.tarball)]
  const [ofNpm, ofPnpm, ofYarn, ofRunners, ofDvc] = alternate(scratch, [...ours, runners(), dvc()])
  const bare = join(scratch, 'without')
  mkdirSync(bare)
  npm([packed.bare]).install(bare, join(scratch, 'cache-0-0'))
  sayLargest(join(ofNpm!.folder, 'node_modules'))
  return [
    ...ofPackage(packed, ofNpm!, bytesOf(join(bare, 'node_modules'))),
    ...[ofNpm!, ofPnpm!, ofYarn!].flatMap(times),
    ...[ofRunners!, ofDvc!].flatMap((peer) => beside(ofNpm!, peer)),
    firstResult(ofNpm!.folder),
  ]
}

/** Each installed with its own empty cache, and again from that, in turns. */
function alternate(scratch: string, installers: readonly Installer[]): Installed[] {
  const seconds = installers.map(() => ({ cold: [] as number[], warm: [] as number[] }))
  const folders: string[] = []
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [index, installer] of installers.entries()) {
      const cache = join(scratch, `cache-${index}-${turn}`)
      for (const kind of ['cold', 'warm'] as const) {
        const folder = join(scratch, `${kind}-${index}-${turn}`)
        mkdirSync(folder)
        seconds[index]![kind].push(secondsOf(() => { installer.install(folder, cache) })) // prettier-ignore
        // one of each is looked at, and the first cache serves once more
        if (turn > 0 || kind === 'cold') rmSync(folder, { recursive: true })
        else folders.push(folder)
      }
      if (turn > 0) rmSync(cache, { recursive: true })
    }
  }
  return installers.map(({ name, modules }, index) => ({
    ...{ name, ...seconds[index]! },
    ...{ bytes: bytesOf(join(folders[index]!, modules)), folder: folders[index]! },
  }))
}

function secondsOf(act: () => void): number {
  const started = performance.now()
  act()
  return (performance.now() - started) / 1000
}

const ofPackage = (packed: Packed, installed: Installed, bareBytes: number): Figure[] => [
  figure({ what: 'the package, packed', unit: 'MB', ours: packed.bytes / MB, reach: { max: 10 } }),
  figure({ what: 'the package, unpacked', unit: 'MB', ours: packed.unpackedBytes / MB, reach: { max: 40 } }),
  figure({ what: 'node_modules', unit: 'MB', ours: installed.bytes / MB, reach: { min: 0 } }),
  figure({ what: 'node_modules without the optional packages', unit: 'MB', ours: bareBytes / MB, reach: { min: 0 } }),
]

const times = ({ name, cold, warm }: Installed): Figure[] => [
  figure({ what: `installed by ${name}, an empty cache`, unit: 's', ours: cold, reach: { min: 0 } }),
  figure({ what: `installed by ${name}, all in its cache`, unit: 's', ours: warm, reach: { min: 0 } }),
]

function beside(ours: Installed, { name, cold, warm, bytes }: Installed): Figure[] {
  const of = (what: string, unit: string, mine: Samples, peer: Samples): Figure =>
    figure({ what: `${what}, beside ${name}`, unit, ours: mine, peer, peerName: name, reach: { min: 0 } })
  return [
    of('installed by npm, an empty cache', 's', ours.cold, cold),
    of('installed by npm, all in its cache', 's', ours.warm, warm),
    of('what is installed', 'MB', ours.bytes / MB, bytes / MB),
  ]
}

/** In the folder in which it was installed last, which is empty but for that. */
function firstResult(folder: string): Figure {
  const ours = secondsOf(() => {
    run(folder, 'npx', ['pipeline', 'init'])
    run(folder, 'npx', ['pipeline', 'run'])
  })
  return figure({
    what: '`npx pipeline init && npx pipeline run`, the first result',
    unit: 's',
    ours,
    reach: { max: 10 },
  })
}

function sayLargest(modules: string): void {
  const largest = packagesBySize(modules).slice(0, 12)
  const words = largest.map(([name, bytes]) => `${name} ${(bytes / MB).toFixed(0)} MB`)
  console.error(`largest of node_modules: ${words.join(', ')}`)
}
