import type { Figure } from '../figures.ts'
import { markdownTable } from './markdown.ts'
import type { Benches } from './speed.ts'

/** A table a machine: attack by attack, how many tries gave wrong outputs and lost good ones, of each tool. */
export const faultSection = (machines: readonly Benches[]): string =>
  machines.flatMap(({ faults }) => (faults ? [ofMachine(faults.machine, faults.figures)] : [])).join('\n\n')

function ofMachine(machine: string, figures: readonly Figure[]): string {
  const peers = [...new Set(figures.map(({ peerName }) => peerName!))]
  const attacks = [...new Set(figures.map(({ fault }) => fault!.attack))]
  const rows = attacks.map((attack) => {
    const of = (peer: string, what: string): Figure =>
      figures.find((one) => one.peerName === peer && one.fault!.attack === attack && one.fault!.what === what)!
    const first = of(peers[0]!, 'wrong')
    const own = `${first.ours} / ${of(peers[0]!, 'lost').ours}`
    const others = peers.map((peer) => `${of(peer, 'wrong').peer!} / ${of(peer, 'lost').peer!}`)
    return [attack, String(first.fault!.tries), own, ...others]
  })
  return [`On ${machine}, wrong / lost:`, markdownTable(['attack', 'tries', 'ours', ...peers], rows)].join('\n\n')
}
