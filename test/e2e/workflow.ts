import type { Place } from './command.ts'

interface Parameter {
  readonly name: string
  readonly value?: string
}
interface Task {
  readonly name: string
  readonly template: string
  readonly dependencies: readonly string[]
  readonly arguments?: { readonly parameters: readonly Parameter[] }
  readonly withSequence?: { readonly start: string; readonly end: string }
}
interface Template {
  readonly name: string
  readonly dag?: { readonly tasks: readonly Task[] }
  readonly inputs?: { readonly parameters: readonly Parameter[] }
  readonly activeDeadlineSeconds?: string
  readonly retryStrategy?: Readonly<Record<string, unknown>>
  readonly container?: {
    readonly args: readonly string[]
    readonly env?: readonly Parameter[]
    readonly resources?: unknown
  }
}

/** Of an Argo Workflow what the tests read. */
export interface Workflow {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> }
  readonly spec: {
    readonly entrypoint: string
    readonly arguments: { readonly parameters: readonly Parameter[] }
    readonly templates: readonly Template[]
  }
}

/** A project with cells, shards, and all that a stage may ask for. */
export const PIPELINE = `version: 1
params: { mark: '!' }
stages:
  first:
    cmd: [sh, -c, 'cat "$1" > "$2"', sh, '\${in.text}', '\${out.text}']
    in: { text: input.txt }
    out: [text]
    env: [WORKFLOW_TEST]
  double:
    run: double.ts
    in: { text: first.text }
    with: { mark: '\${mark}' }
    out: [text]
    shards: 3
    resources: { cpu: 1 }
  cell_a:
    matrix: { side: { left: left, right: 'r/ight' } }
    cmd: [sh, -c, 'cat "$1" > "$2"; echo "$3" >> "$2"', sh, '\${in.text}', '\${out.text}', '\${matrix.side}']
    in: { text: double.text }
    out: [text]
    resources: { gpu: 2, cpu: 4, memory: 1GiB }
    timeout: 15m
    retries: { times: 3, backoff: 20s }
  count:
    cmd: [sh, -c, 'cat "$PIPELINE_IN_TEXTS" | wc -c > "$1"', sh, '\${out.size}']
    in: { texts: first.text }
    out: [size]
`

export const templateOf = ({ spec }: Workflow, name: string): Template =>
  spec.templates.find((template) => template.name === name)!

export const tasksOf = (workflow: Workflow): readonly Task[] =>
  templateOf(workflow, workflow.spec.entrypoint).dag!.tasks

/** The arguments of the command for each run of a task, as Argo puts them in place. */
export function commandsOf(workflow: Workflow, task: Task): string[][] {
  const { container } = templateOf(workflow, task.template)
  const { start, end } = task.withSequence ?? { start: '0', end: '0' }
  const items = Array.from({ length: Number(end) - Number(start) + 1 }, (_, n) => String(Number(start) + n))
  const parameters = task.arguments?.parameters ?? []
  return items.map((item) =>
    container!.args.map((arg) =>
      parameters.reduce(
        (text, { name, value }) => text.replaceAll(`{{inputs.parameters.${name}}}`, value!.replace('{{item}}', item)),
        arg,
      ),
    ),
  )
}

/** Runs the workflow as Argo would, each step by the real command, those that do not wait for one another in reverse order. */
export async function runWorkflow(place: Place, workflow: Workflow): Promise<readonly string[]> {
  const done: string[] = []
  const waiting = [...tasksOf(workflow)].reverse()
  while (waiting.length > 0) {
    const next = waiting.findIndex(({ dependencies }) => dependencies.every((name) => done.includes(name)))
    const [task] = waiting.splice(next, 1)
    for (const args of commandsOf(workflow, task!)) {
      const { code, out, errors } = await place.run(...args)
      if (code !== 0) throw new Error(`${task!.name}: ${args.join(' ')} ended with ${String(code)}: ${out}${errors}`)
    }
    done.push(task!.name)
  }
  return done
}
