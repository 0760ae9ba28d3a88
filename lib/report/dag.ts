import { layOut } from './dag-layout.ts'
import type { Point } from './dag-layout.ts'
import { duration } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'

/** A stage of a run: how it came by its result, how long that took when it was made, and what it reads. */
export interface DagStage {
  readonly outcome: Outcome
  readonly seconds: number
  readonly stage?: { readonly in: Readonly<Record<string, DagInput>> }
}

type Outcome = 'ran' | 'restored' | 'fresh' | 'failed' | 'skipped'

/** Of another stage, of all cells of one, or of none. */
interface DagInput {
  readonly kind: string
  readonly stage?: string
  readonly cells?: Readonly<Record<string, { readonly stage: string }>>
}

const WORDS = {
  ran: 'ran',
  restored: 'restored',
  fresh: 'was there',
  failed: 'failed',
  skipped: 'skipped',
} as const satisfies Record<Outcome, string>

const BOX = { width: 128, height: 44 }
/** More boxes are no picture. */
const MOST = 60

interface Node {
  readonly name: string
  readonly stages: readonly DagStage[]
  readonly above: ReadonlySet<string>
}

/** The stages as boxes, each below what it reads, with outcomes and times; the cells of a matrix are one box. */
export function dag(stages: Readonly<Record<string, DagStage>>): Html | undefined {
  const nodes = nodesOf(stages)
  if (nodes.length < 2 || nodes.length > MOST) return undefined
  const { width, height, centres, arrows } = layOut(nodes, BOX)
  const title = 'The stages, each below what it reads'
  return html`<figure class="single">
    <div class="chart">
      <svg role="img" viewBox="0 0 ${width} ${height}" style="max-width: ${Math.ceil(1.15 * width)}px">
        <title>${title}</title>
        ${arrows.map((path) => html`<path d="${path}" fill="none" stroke="var(--rule-strong)" />`)}
        ${nodes.map((node) => box(node, centres.get(node.name)!))}
      </svg>
    </div>
    <figcaption>
      Filled: ran in this run. Otherwise the result was there; its time is that of the run that made it.
    </figcaption>
  </figure>`
}

const nameOf = (id: string): string => id.replace(/\[.*/s, '')

function nodesOf(stages: Readonly<Record<string, DagStage>>): readonly Node[] {
  const nodes = new Map<string, { name: string; stages: DagStage[]; above: Set<string> }>()
  for (const [id, stage] of Object.entries(stages)) {
    const name = nameOf(id)
    const node = nodes.get(name) ?? { name, stages: [], above: new Set() }
    nodes.set(name, node)
    node.stages.push(stage)
    for (const input of Object.values(stage.stage?.in ?? {})) for (const from of readsOf(input)) node.above.add(from)
  }
  return [...nodes.values()]
}

const readsOf = ({ stage, cells = {} }: DagInput): string[] =>
  [...(stage === undefined ? [] : [stage]), ...Object.values(cells).map((cell) => cell.stage)].map(nameOf)

function box({ name, stages }: Node, { x, y }: Point): Html {
  const ran = stages.filter(({ outcome }) => outcome === 'ran')
  const [left, top] = [x - BOX.width / 2, y - BOX.height / 2]
  const [fill, ink, quiet] = ran.length > 0 ? FILLED : EMPTY
  const count = stages.length > 1 ? ` × ${stages.length}` : ''
  return html`<g>
    <rect
      x="${left.toFixed(1)}"
      y="${top.toFixed(1)}"
      width="${BOX.width}"
      height="${BOX.height}"
      rx="6"
      fill="${fill}"
      stroke="var(--rule-strong)"
    />
    <text x="${x.toFixed(1)}" y="${(top + 18).toFixed(1)}" text-anchor="middle" font-size="12.5" fill="${ink}"
      >${shortened(name, 18 - count.length)}${count}</text
    >
    <text x="${x.toFixed(1)}" y="${(top + 35).toFixed(1)}" text-anchor="middle" font-size="11.5" fill="${quiet}"
      >${told(stages, ran.length)}</text
    >
  </g>`
}

const FILLED = ['var(--student)', 'var(--paper)', 'var(--paper)'] as const
const EMPTY = ['var(--paper)', 'var(--ink)', 'var(--quiet)'] as const

/** `ran, 14 s`; of cells that differ, `2 of 4 ran, 3 s`. */
function told(stages: readonly DagStage[], ran: number): string {
  const [first] = stages
  const some = ran > 0 && ran < stages.length
  const seconds = stages.filter(({ outcome }) => !some || outcome === 'ran').reduce((sum, one) => sum + one.seconds, 0)
  return `${some ? `${ran} of ${stages.length} ran` : WORDS[first!.outcome]}, ${duration(seconds)}`
}

const shortened = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text)
