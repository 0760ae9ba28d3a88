import { graph, input, matmul } from '../../../graph/index.ts'
import { openTfjsNode } from '../node.ts'

// Started by main.ts: prints what the engine computes on, or why it does not.

try {
  const engine = await openTfjsNode(1)
  const value = matmul(input('row', [1, 2]), input('column', [2, 1]))
  const program = await engine.compile(graph({ outputs: { value } }))
  const feeds = {
    row: { shape: [1, 2], data: Float32Array.of(1, 2) },
    column: { shape: [2, 1], data: Float32Array.of(3, 4) },
  }
  const found = (await program.run(feeds))['value']!.data[0]
  if (found !== 11) throw new Error(`1 · 3 + 2 · 4 came out as ${found}`)
  process.stdout.write(`${engine.device}\n`)
} catch (error) {
  process.stderr.write(`${(error as Error).message.replaceAll('\n', ' ')}\n`)
  process.exitCode = 1
}
