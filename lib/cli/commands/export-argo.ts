import { argoWorkflow, argoYaml } from '../../pipeline/argo.ts'
import { prepare } from '../../pipeline/prepare.ts'
import { load } from '../load.ts'
import type { ConfigOptions } from '../options.ts'
import { exitCodeOf, write, writeFailures, writeJson } from '../output.ts'
import { revisionsOf } from '../revisions.ts'

export interface ArgoArguments extends ConfigOptions {
  readonly image: string
  readonly claim: string
}

/** `pipeline export --to argo`: the stages as an Argo Workflow, on standard output. */
export async function exportArgo({ image, claim, ...options }: ArgoArguments): Promise<number> {
  const loaded = await load(options)
  const prepared = loaded.ok ? await prepare(loaded.value, undefined, revisionsOf('yes')) : loaded
  if (!prepared.ok) {
    writeFailures(prepared.error, options.json === true)
    return exitCodeOf(prepared.error)
  }
  const config = [
    ...options.recipe.flatMap((file) => ['--recipe', file]),
    ...options.set.flatMap((value) => ['--set', value]),
  ]
  const workflow = argoWorkflow(prepared.value, { image, claim, config })
  if (options.json === true) writeJson(workflow)
  else write(argoYaml(workflow).trimEnd())
  return 0
}
