import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { figure, machine, words } from '../figures.ts'
import type { Figure } from '../figures.ts'
import type { Measured } from './measured.ts'

/** results-ours LOG FOLDER GPU: the lines of JSON in a log, engine by engine beside PyTorch, as FOLDER/<gpu>.json. */
const [log = '', folder = '', gpu = ''] = process.argv.slice(2)
const measured = readFileSync(log, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('{"part"'))
  .map((line) => JSON.parse(line) as Measured)
  .filter(({ unit }) => unit !== 'nats') // said beside each other, no measure of either
const isPeer = ({ who }: Measured): boolean => who.startsWith('PyTorch')
const results: Record<string, object> = {}
for (const part of new Set(measured.map((one) => one.part))) {
  const figures = measured.filter((one) => one.part === part && !isPeer(one)).flatMap(besidePeers)
  for (const one of figures) console.log(`${part}: ${words(one)}`)
  const alone = measured.filter((one) => one.part === part && isPeer(one))
  const date = new Date().toISOString()
  results[`gpu-${part}`] = { machine: `${gpu}, ${machine()}`, date, figures: figures.length > 0 ? figures : alone }
}
const slug = gpu.toLowerCase().replace(/[^a-z0-9]+/g, '-')
writeFileSync(join(folder, `${slug}.json`), `${JSON.stringify(results, null, 2)}\n`)

/** Beside each peer that measured the same, or alone. */
function besidePeers(ours: Measured): readonly Figure[] {
  const peers = measured.filter((one) => isPeer(one) && one.part === ours.part && one.what === ours.what)
  const what = `${ours.what}, ${ours.who}`
  const { unit, value } = ours
  const reach = unit.endsWith('/s') ? { min: 1 } : { max: 1 }
  if (peers.length === 0) return [figure({ what, unit, ours: value, reach: { min: 0 } })]
  return peers.map((peer) => figure({ what, unit, ours: value, peer: peer.value, peerName: peer.who, reach }))
}
