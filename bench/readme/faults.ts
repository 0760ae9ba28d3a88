import { OUTCOMES } from '../faults/outcome.ts'
import type { Counts } from '../faults/outcome.ts'
import type { Figure } from '../figures.ts'
import { markdownTable } from './markdown.ts'
import type { Benches } from './speed.ts'

/** A table a machine: attack by attack, what came of how many tries under each tool. */
export const faultSection = (machines: readonly Benches[]): string =>
  machines.flatMap(({ faults }) => (faults ? [ofMachine(faults.machine, faults.figures)] : [])).join('\n\n')

function ofMachine(machine: string, figures: readonly Figure[]): string {
  const peers = [...new Set(figures.map(({ peerName }) => peerName!))]
  const attacks = [...new Set(figures.map(({ what }) => what))]
  const rows = attacks.map((attack) => {
    const faults = peers.map((peer) => figures.find((one) => one.peerName === peer && one.what === attack)!.fault!)
    return [attack, String(faults[0]!.tries), words(faults[0]!.ours), ...faults.map(({ peer }) => words(peer))]
  })
  return [`On ${machine}:`, markdownTable(['attack', 'tries', 'ours', ...peers], rows)].join('\n\n')
}

/** `correct`, or `4 wrong, 2 correct`, the worst first. */
function words(counts: Counts): string {
  const met = OUTCOMES.filter((outcome) => (counts[outcome] ?? 0) > 0)
  return met.length === 1 ? met[0]! : met.map((outcome) => `${counts[outcome]!} ${outcome}`).join(', ')
}
