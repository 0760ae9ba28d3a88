import { chmodSync, lstatSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { loadPipeline } from '../../lib/pipeline/config.ts'
import type { Rig } from './rig.ts'

export const VARIABLE = 'EDITS_TEST_VARIABLE'

/** All that an edit can change; `null` is a variable that is not set, and an input that is not there. */
export interface Project {
  word: string
  times: number
  cells: string
  text: string | null
  mark: string
  variable: string | null
  comment: number
  form: number
  /** What the first program says beside its work: in its key, in no output. */
  beside: string
  /** What is asked for and is in no key. */
  asked: string
  /** Files of a folder, by name: `a+` is a program, `la` a link to `a`. */
  folder: string
  /** Of the stage that runs the module. */
  name: string
  extra: boolean
  order: 'as read' | 'reversed'
}

const MODULE = `import { readFileSync, writeFileSync } from 'node:fs'
import { mark } from './mark.ts'
export default {
  params: { type: 'object', properties: { times: { type: 'number' } } },
  in: ['text'], out: ['text'],
  async run({ with: { times }, in: inputs, out }) {
    writeFileSync(out.text, readFileSync(inputs.text, 'utf8').repeat(times) + mark)
  },
}
`

// the first and the third stage drop a part of what they read, so that a change may end there
function yaml({ word, times, cells, beside, asked, name, extra, order }: Project): string {
  const stages = [
    `  first:
    cmd: [sh, -c, 'cut -c1 "$1" > "$2"; echo $3 >> "$2"; : ${beside}', sh, '\${in.text}', '\${out.text}', '\${word}']
    in: { text: ./input.txt }
    out: [text]
${asked}`,
    `  listed:
    cmd: [sh, -c, 'cd "$0"; for name in *; do if [ -L "$name" ]; then echo "$name link"; elif [ -x "$name" ]; then echo "$name program"; else cat "$name"; fi; done > "$1"', '\${in.folder}', '\${out.text}']
    in: { folder: ./folder }
    out: [text]
`,
    `  ${name}:
    run: second.ts
    in: { text: first.text }
    with: { times: '\${times}' }
    out: [text]
`,
    `  third:
    cmd: [sh, -c, 'wc -l < "$1" > "$2"; echo $3 >> "$2"', sh, '\${in.text}', '\${out.text}', '\${with.cell}']
    matrix: { cell: ${cells} }
    in: { text: ${name}.text }
    with: { cell: '\${matrix.cell}' }
    out: [text]
`,
    ...(extra
      ? [`  extra:\n    cmd: [cp, '\${in.text}', '\${out.text}']\n    in: { text: listed.text }\n    out: [text]\n`]
      : []),
    `  last:
    cmd: [sh, -c, 'echo "$0" "$${VARIABLE}" > "$1"', '\${in.all}', '\${out.text}', '\${in.listed}']
    in: { all: third.text, listed: ${extra ? 'extra' : 'listed'}.text }
    env: [${VARIABLE}]
    out: [text]
`,
  ]
  const written = order === 'as read' ? stages : stages.toReversed()
  return `version: 1\nparams: { word: ${word}, times: ${times} }\nstages:\n${written.join('')}`
}

/** What the links in artifacts show after a run that came to its end, by file. */
export function expected({ word, times, cells, text, mark, folder, name, extra }: Project): Record<string, string> {
  const first = `${text!.replace(/^(.).*$/gm, '$1')}${word}\n`
  const second = first.repeat(times) + mark
  const third = (cell: string): string => `${second.split('\n').length - 1}\n${cell}\n`
  const listed = folder.split(' ').map((file) => {
    const name = file.replace('+', '')
    return name.startsWith('l') ? `${name} link\n` : file === name ? `${name}\n` : `${name} program\n`
  })
  return {
    first,
    [name]: second,
    ...Object.fromEntries(cells.match(/\d/g)!.map((cell) => [`third/${cell}`, third(cell)])),
    listed: listed.join(''),
    ...(extra ? { extra: listed.join('') } : {}),
  }
}

/** The same document in other words. */
export const FORMS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text.replaceAll('\n', '\r\n'),
  (text) => `# a comment\n\n${text.replace(/word: (\w)/, 'word: "$1"').replace(/times: (\d)/, 'times: $1.0')}`,
  (text) => text.replace(/params: \{ (.*), (.*) \}/, 'params:\n    $2 # a comment\n    $1'),
]

export const VALUES: { readonly [name in keyof Project]?: readonly Project[name][] } = {
  word: ['x', 'y'],
  times: [1, 2],
  cells: ['[1, 2]', '[1, 3]', '[2]'],
  text: ['abc\n', 'abd\n', 'bcd\n', 'abd\n', null],
  mark: ['!', '?'],
  variable: [null, '', '1'],
  beside: ['a', 'b'],
  asked: ['', '    timeout: 60s\n', '    resources: { cpu: 1 }\n    retries: 1\n'],
  folder: ['a', 'b', 'a b', 'a la', 'a lost', 'a+', 'a b+', 'a+ la'],
  name: ['second', 'other'],
  extra: [false, true],
  order: ['as read', 'reversed'],
}

/** Brings all files to this state. */
export function writeProject(rig: Rig, project: Project): ReturnType<typeof loadPipeline> {
  rig.write('second.ts', MODULE)
  rig.write('pipeline.yaml', FORMS[project.form]!(yaml(project)))
  if (project.text === null) rmSync(rig.path('input.txt'), { force: true })
  else rig.write('input.txt', project.text)
  writeFolder(rig, project.folder.split(' '))
  rig.write('mark.ts', `// comment ${project.comment}\nexport const mark = '${project.mark}'\n`)
  if (project.variable === null) Reflect.deleteProperty(process.env, VARIABLE)
  else process.env[VARIABLE] = project.variable
  return loadPipeline({ file: rig.path('pipeline.yaml'), overlays: [], sets: [] })
}

/** Renames, removes, adds and changes modes so that the folder has these: a file has its own name in it. */
function writeFolder(rig: Rig, files: readonly string[]): void {
  rig.write('folder/a', 'a\n')
  const names = files.map((file) => file.replace('+', ''))
  for (const name of readdirSync(rig.path('folder'))) if (!names.includes(name)) rmSync(rig.path('folder', name))
  for (const [index, name] of names.entries()) {
    const path = rig.path('folder', name)
    if (name.startsWith('l')) {
      // `lost` leads nowhere, as its name says
      if (lstatSync(path, { throwIfNoEntry: false }) === undefined) symlinkSync(name.slice(1), path)
      continue
    }
    if (!rig.has(`folder/${name}`)) rig.write(`folder/${name}`, `${name}\n`)
    chmodSync(path, files[index] === name ? 0o644 : 0o755)
  }
}
