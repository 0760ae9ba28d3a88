/** A pipeline of so many stages, each reading the one before it. */
export function chainYaml(stages: number): string {
  let text = 'version: 1\nstages:\n'
  for (let i = 0; i < stages; i++) {
    const input = i === 0 ? 'input.txt' : `s${i - 1}.b`
    text += `  s${i}:\n    cmd: [cp, '\${in.a}', '\${out.b}']\n    in: { a: ${input} }\n    out: [b]\n`
  }
  return text
}

/** A pipeline of one stage over two axes. */
export function matrixYaml(rows: number, columns: number): string {
  const axis = (name: string, count: number): string =>
    `[${Array.from({ length: count }, (_, i) => name + String(i)).join(', ')}]`
  return `version: 1
stages:
  cell:
    cmd: [cp, '\${in.a}', '\${out.b}']
    matrix: { x: ${axis('x', rows)}, y: ${axis('y', columns)} }
    with: { x: '\${matrix.x}', y: '\${matrix.y}' }
    in: { a: input.txt }
    out: [b]
`
}
