import { layOut } from '../../report/dag-layout.ts'

export interface DagNode {
  readonly name: string
  readonly reads: readonly string[]
  /** `ran, 14 s` */
  readonly told: string
  readonly look: 'done' | 'busy' | 'quiet' | 'bad'
}

const BOX = { width: 132, height: 46 }
/** More boxes are no picture. */
const MOST = 60

const nameOf = (id: string): string => id.replace(/\[.*/s, '')

/** The stages as boxes, each below what it reads; the cells of a matrix are one. The table beside it says the same. */
export function Dag({ nodes, label }: { readonly nodes: readonly DagNode[]; readonly label: string }) {
  const boxes = merged(nodes)
  if (boxes.length < 2 || boxes.length > MOST) return null
  const { width, height, centres, arrows } = layOut(
    boxes.map(({ name, reads }) => ({ name, above: reads })),
    BOX,
  )
  return (
    <div class="dag" tabIndex={0} role="group" aria-label={label}>
      <svg
        role="img"
        aria-label={`${label}: ${boxes.map(({ name, told }) => `${name} ${told}`).join('; ')}`}
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
      >
        {arrows.map((path) => (
          <path d={path} fill="none" stroke="var(--rule-strong)" />
        ))}
        {boxes.map((box) => (
          <Box key={box.name} {...box} {...centres.get(box.name)!} />
        ))}
      </svg>
    </div>
  )
}

function Box({ name, told, look, count, x, y }: Merged & { readonly x: number; readonly y: number }) {
  const [left, top] = [x - BOX.width / 2, y - BOX.height / 2]
  const cells = count > 1 ? ` × ${count}` : ''
  return (
    <g class={`box ${look}`}>
      <rect x={left} y={top} width={BOX.width} height={BOX.height} rx="6" />
      <text x={x} y={top + 19} text-anchor="middle" font-size="12.5">
        {shortened(name, 18 - cells.length) + cells}
      </text>
      <text class="told" x={x} y={top + 36} text-anchor="middle" font-size="11.5">
        {shortened(told, 22)}
      </text>
    </g>
  )
}

interface Merged extends DagNode {
  readonly count: number
}

const ORDER = ['bad', 'busy', 'done', 'quiet'] as const

/** Of cells that differ the one that most wants to be seen stands for all. */
function merged(nodes: readonly DagNode[]): Merged[] {
  const groups = new Map<string, DagNode[]>()
  for (const node of nodes) groups.set(nameOf(node.name), [...(groups.get(nameOf(node.name)) ?? []), node])
  return [...groups].map(([name, cells]) => {
    const [first] = [...cells].sort((a, b) => ORDER.indexOf(a.look) - ORDER.indexOf(b.look))
    const reads = [...new Set(cells.flatMap((cell) => cell.reads.map(nameOf)))].filter((from) => from !== name)
    return { name, reads, told: first!.told, look: first!.look, count: cells.length }
  })
}

const shortened = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text)
