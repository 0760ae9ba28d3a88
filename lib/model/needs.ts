import { gib } from '../util/gib.ts'
import type { Engine, Program } from '../engine/engine.ts'

/** For people, before anything is computed: what these programs, whose state is one memory's, will take of a device. */
export function describeNeeds(engine: Engine, programs: readonly Program[]): string | undefined {
  const needs = programs.flatMap((program) => program.needs ?? [])
  const free = engine.room?.()
  if (needs.length === 0 || free === undefined) return undefined
  const own = needs.reduce((all, one) => all + one.own, 0)
  const state = Math.max(...needs.map((one) => one.state))
  return `memory of the device: ${gib(state)} for weights and what goes with them, ${gib(own)} for what is computed, of ${gib(free + own)} that are free`
}
