import { join } from 'node:path'
import { isFile, readText } from '../data/read.ts'
import type { GptConfig } from '../model/config.ts'
import { describeModel, parameterCount } from '../model/weights.ts'
import type { ExportFormat, Provenance } from '../util/export.ts'

/** What a card says of a form of the model: the library that takes it, and how. */
interface Use {
  readonly library: string
  readonly example: string
}

const code = (language: string, ...lines: readonly string[]): string => ['```' + language, ...lines, '```'].join('\n')

const uses: Readonly<Record<ExportFormat, Use>> = {
  safetensors: {
    library: 'transformers',
    example: code(
      'python',
      'from transformers import AutoModelForCausalLM, AutoTokenizer',
      '',
      'tokenizer = AutoTokenizer.from_pretrained(folder)',
      'model = AutoModelForCausalLM.from_pretrained(folder)',
    ),
  },
  onnx: {
    library: 'transformers.js',
    example: code(
      'js',
      "import { pipeline } from '@huggingface/transformers'",
      '',
      '// by its absolute path: other names are looked up on the hub',
      "const generator = await pipeline('text-generation', '/path/of/this/folder', { dtype: 'fp32' })",
    ),
  },
  gguf: { library: 'gguf', example: code('sh', 'llama-cli -no-cnv -m model.gguf -p TEXT') },
}

/** The README.md of an exported model: what the hub reads at its head, and what people read below. */
export function modelCard(config: GptConfig, format: ExportFormat, provenance: Provenance): string {
  const unknown = unknownOf(provenance)
  const parts = [
    frontMatter(format, provenance),
    `# ${describeModel(config)}`,
    facts(config),
    `## Use\n\n${uses[format].example}`,
    `## How it was made\n\n${provenance.made}`,
    `## What is not known\n\n${unknown.map((line) => `- ${line}`).join('\n')}`,
  ]
  return `${parts.join('\n\n')}\n`
}

/** The license that the front matter of a folder's README.md names. */
export function licenseOf(folder: string): string | undefined {
  const file = join(folder, 'README.md')
  const head = isFile(file) ? /^---\r?\n(.*?)^---\s*$/ms.exec(readText(file))?.[1] : undefined
  return /^license:\s*["']?([\w.-]+)["']?\s*$/m.exec(head ?? '')?.[1]
}

function frontMatter(format: ExportFormat, { baseModel, datasets, license }: Provenance): string {
  const { library } = uses[format]
  const list = (items: readonly string[]): string => `[${items.map((item) => JSON.stringify(item)).join(', ')}]`
  const lines = [
    ...(license === undefined ? [] : [`license: ${JSON.stringify(license)}`]),
    ...(baseModel === undefined ? [] : [`base_model: ${JSON.stringify(baseModel)}`]),
    ...(datasets.length === 0 ? [] : [`datasets: ${list(datasets)}`]),
    `library_name: ${library}`,
    'pipeline_tag: text-generation',
    `tags: ${list(['distil-pipeline', format])}`,
  ]
  return `---\n${lines.join('\n')}\n---`
}

function facts(config: GptConfig): string {
  const rows: readonly (readonly [string, string | number])[] = [
    ['architecture', config.architecture],
    ['parameters', parameterCount(config)],
    ['layers, width, heads', `${config.layers}, ${config.width}, ${config.heads}`],
    ['context, in tokens', config.context],
    ['vocabulary', config.vocabSize],
    ['output head', config.tied ? 'the token embedding' : 'a matrix of its own'],
    ['numbers', 'float32'],
  ]
  return ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
}

const unknownOf = ({ license }: Provenance): string[] => [
  ...(license === undefined ? ['The license: none is recorded. Those of all that the model was made from apply.'] : []),
  'What the model is fit for beyond what is measured above, and what biases it has.',
]
