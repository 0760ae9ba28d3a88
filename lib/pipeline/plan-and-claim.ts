import { claim } from './live.ts'
import { planStages } from './plan.ts'
import type { PlanOptions, Planned } from './plan.ts'
import type { Prepared } from './prepare.ts'
import type { RemoteSession } from './remote/session.ts'

/** Plans anew where gc took a result between its being found and its being claimed. */
export async function planAndClaim(
  prepared: Prepared,
  options: { readonly force?: PlanOptions['force']; readonly signal: AbortSignal },
  live: boolean,
  remote: RemoteSession | undefined,
): Promise<Planned> {
  for (;;) {
    const planned = await planStages(prepared, options.force, remote)
    const results = prepared.stages.flatMap((stage) => {
      const key = planned.settled.get(stage.id)?.key
      return key === undefined || !planned.here.has(stage.id) ? [] : [{ stage: stage.name, key }]
    })
    if (!live || results.length === 0 || options.signal.aborted) return planned
    if (await claim(prepared.store, results, options.signal)) return planned
  }
}
