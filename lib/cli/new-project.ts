import { editorSchema } from '../pipeline/editor-schema.ts'
import { Problems } from '../pipeline/problems.ts'
import { makeSource } from '../pipeline/source.ts'
import type { MapTree } from '../pipeline/tree.ts'
import { parseYaml } from '../pipeline/yaml.ts'

const PIPELINE = `# yaml-language-server: $schema=./pipeline.schema.json
version: 1
metrics: count.metrics # the JSON output whose content is the experiment's metrics

params: # every knob, in one tree
  name: world
  times: 3

stages:
  hello: # a stage in TypeScript
    run: stages/hello.ts
    with: { name: '\${name}', times: '\${times}' }
    out: [text]

  count: # a program in any language
    cmd: [node, '\${in.program}', '\${in.text}', '\${out.metrics}']
    in: { text: hello.text, program: file:count.mjs } # the program is an input: a change of it runs the stage again
    out: [metrics: metrics.json]
`

/** What stages/hello.ts, below, declares: nothing can load it before the package is installed beside it. */
const HELLO = {
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: { type: 'string', description: 'whom to greet' },
      times: { type: 'integer', minimum: 1, default: 1, description: 'greetings, a line each' },
    },
  },
  in: [],
}

/** Files of a new project by their path in it; `packageJson` stands apart, as a project may have one already. */
export const newProject = (packageName: string): Readonly<Record<string, string>> => ({
  'pipeline.yaml': PIPELINE,
  'stages/hello.ts': `import { writeFileSync } from 'node:fs'
import { defineStage } from ${JSON.stringify(packageName).replaceAll('"', "'")}

export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: { type: 'string', description: 'whom to greet' },
      times: { type: 'integer', minimum: 1, default: 1, description: 'greetings, a line each' },
    },
  },
  in: [],
  out: ['text'],
  run({ with: { name, times }, out, log }) {
    log(\`greeting \${name}\`)
    writeFileSync(out.text, \`Hello, \${name}!\\n\`.repeat(times))
    return Promise.resolve()
  },
})
`,
  'count.mjs': `import { readFileSync, writeFileSync } from 'node:fs'

const [text, metrics] = process.argv.slice(2)
const lines = readFileSync(text, 'utf8').trimEnd().split('\\n')
writeFileSync(metrics, JSON.stringify({ lines: lines.length }))
`,
  'pipeline.schema.json': editorSchema(new Map([['stages/hello.ts', HELLO]]), document()),
  '.gitignore': 'node_modules/\nartifacts/\n',
  'tsconfig.json': `{
  "compilerOptions": {
    "target": "es2023",
    "module": "node20",
    "types": ["node"],
    "noEmit": true,
    "strict": true,
    "verbatimModuleSyntax": true,
    "allowImportingTsExtensions": true,
    "skipLibCheck": true
  },
  "include": ["stages"]
}
`,
})

// a text of ours is a map
const document = (): MapTree => parseYaml(makeSource('pipeline.yaml', PIPELINE), new Problems()) as MapTree
