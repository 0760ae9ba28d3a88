import dagre from '@dagrejs/dagre'

const MARGIN = 2

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly centres: ReadonlyMap<string, Point>
  /** Paths of SVG. */
  readonly arrows: readonly string[]
}

/** Boxes of one size, each below those above it; names that are no node's are left out. */
export function layOut(
  nodes: readonly { readonly name: string; readonly above: Iterable<string> }[],
  box: { readonly width: number; readonly height: number },
): Layout {
  const graph = new dagre.graphlib.Graph()
  graph.setGraph({ rankdir: 'TB', nodesep: 14, ranksep: 30, edgesep: 10, marginx: MARGIN, marginy: MARGIN })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { name } of nodes) graph.setNode(name, { ...box })
  for (const { name, above } of nodes) for (const from of above) if (graph.hasNode(from)) graph.setEdge(from, name)
  dagre.layout(graph)
  const { width = 0, height = 0 } = graph.graph()
  return {
    width: Math.ceil(width),
    height: Math.ceil(height),
    centres: new Map(nodes.map(({ name }) => [name, graph.node(name) as Point])),
    arrows: graph.edges().map(({ v, w }) => arrow((graph.edge(v, w) as { points: readonly Point[] }).points)),
  }
}

/** A smooth line through the points that are between its ends. */
function arrow(points: readonly Point[]): string {
  const at = ({ x, y }: Point): string => `${x.toFixed(1)} ${y.toFixed(1)}`
  const middle = (a: Point, b: Point): Point => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 })
  const [first, last] = [points[0]!, points.at(-1)!]
  const bends = points.slice(1, -1).map((point, i) => {
    const end = i === points.length - 3 ? last : middle(point, points[i + 2]!)
    return `Q${at(point)} ${at(end)}`
  })
  return `M${at(first)} ${bends.join(' ') || `L${at(last)}`}`
}
