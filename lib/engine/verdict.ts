import type { Diagnosis, EngineFound } from '../util/diagnosis.ts'
import type { Machine } from '../util/machine.ts'

/** What `auto` takes of these engines, best first, and why; and what would make it faster. */
export function judge(
  engines: readonly EngineFound[],
  machine: Machine,
): Pick<Diagnosis, 'auto' | 'autoWhy' | 'advice'> {
  const at = engines.findIndex(({ works, suitsAuto }) => works && suitsAuto)
  const taken = engines[at]
  const passed = engines.slice(0, taken ? at : engines.length)
  const order = engines.map(({ name }) => name).join(', ')
  const autoWhy = [
    taken ? `of ${order}, the first that works here` : `none of ${order} works here`,
    ...passed.map(passedBy),
  ].join('; ')
  const advice = [
    ...(taken ? passed.flatMap((engine) => dangers(engine, taken)) : []),
    ...(taken ? faster(engines, taken) : []),
    ...ofMachine(machine),
    ...(hasCard(engines, machine)
      ? []
      : ['No graphics card of NVIDIA, AMD or Intel is seen here: on one, engines are many times as fast.']),
  ]
  return { auto: taken?.name ?? null, autoWhy, advice }
}

function passedBy({ name, works, state, device, why }: EngineFound): string {
  if (works) return `${name} works, but on ${device ?? 'nothing'}, which "auto" passes by`
  const short = why.split(state === 'absent' ? / \(|; |: |, and / : ': ')[0]!
  return `${name} does not work (${short})`
}

/** `auto` opens engines, and does not multiply with them first, nor in another process. */
function dangers({ name, state, suitsAuto, why }: EngineFound, taken: EngineFound): readonly string[] {
  if (!suitsAuto || state === 'absent') return []
  const way = `give --engine ${taken.name}, or set PIPELINE_ENGINE=${taken.name}, until that is mended`
  return [`"auto" tries ${name} first in a run, too (${why}): ${way}.`]
}

/** Half as fast again is more than what a measurement may be off by. */
const MORE = 1.5

function faster(engines: readonly EngineFound[], taken: EngineFound): readonly string[] {
  const rate = taken.gflops['fp32']!
  const told = (one: number): string => `${(one / rate).toFixed(1)} times as fast`
  const others = engines.filter((one) => one !== taken && one.works && one.gflops['fp32']! > MORE * rate)
  const precisions = Object.entries(taken.gflops).filter(([, one]) => one > MORE * rate)
  const best = precisions.sort(([, a], [, b]) => b - a)[0]
  return [
    ...others.map(({ name, gflops }) => `${name} multiplies ${told(gflops['fp32']!)} as ${taken.name} here: --engine ${name}.`), // prettier-ignore
    ...(best ? [`${taken.name} multiplies ${told(best[1])} in ${best[0]} as in fp32: \`precision: ${best[0]}\` of a stage.`] : []), // prettier-ignore
  ]
}

function ofMachine({ cores, threads, quota }: Machine): readonly string[] {
  return [
    ...(threads < cores
      ? [`This process may run on ${threads} of ${cores} cores: taskset, or the container's --cpuset-cpus, says so.`]
      : []),
    ...(quota !== null && quota < threads
      ? [`The container is given ${quota} cores' time for ${threads} threads: give it more (--cpus), or fewer threads.`]
      : []),
  ]
}

/** Other systems than Linux do not show their bus. */
const hasCard = (engines: readonly EngineFound[], { gpus, platform }: Machine): boolean =>
  gpus.length > 0 || !platform.startsWith('linux') || engines.some(({ device }) => device !== null && device !== 'cpu')
