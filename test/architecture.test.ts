import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { describe, it } from 'node:test'

/** Folder to the folders and packages that it may import: the table of the architecture. */
const allowed: Record<string, { folders: string[]; packages: string[] }> = {
  'lib/util': { folders: [], packages: [] },
  'lib/data': {
    folders: ['lib/util'],
    packages: ['@xenova/transformers', '@huggingface/tokenizers', 'hyparquet', 'yauzl'],
  },
  'lib/graph': { folders: ['lib/util'], packages: [] },
  'lib/engine': {
    folders: ['lib/graph', 'lib/util'],
    packages: [
      'onnxruntime-node',
      '@tensorflow/tfjs-core',
      '@tensorflow/tfjs-backend-cpu',
      '@tensorflow/tfjs-backend-wasm',
      '@tensorflow/tfjs-backend-webgpu',
      '@tensorflow/tfjs-node-gpu',
      'protobufjs',
      'koffi',
      'yauzl',
      'webgpu',
    ],
  },
  'lib/model': { folders: ['lib/graph', 'lib/engine', 'lib/data', 'lib/util'], packages: [] },
  'lib/report': { folders: ['lib/util'], packages: ['@dagrejs/dagre', 'echarts'] },
  'lib/pipeline': {
    folders: ['lib/util'],
    packages: [
      'yaml',
      'ajv',
      'p-graph',
      'execa',
      'esbuild',
      'json-schema-to-ts',
      'p-limit',
      'resolve.exports',
      '@aws-sdk/client-s3',
      '@aws-sdk/lib-storage',
    ],
  },
  'lib/export': { folders: ['lib/model', 'lib/engine', 'lib/data', 'lib/util'], packages: [] },
  'lib/tools': { folders: ['lib/export', 'lib/data', 'lib/engine', 'lib/model', 'lib/util'], packages: [] },
  stages: {
    folders: ['lib/pipeline', 'lib/engine', 'lib/model', 'lib/data', 'lib/report', 'lib/util'],
    packages: [],
  },
  'lib/trackers': { folders: ['lib/pipeline', 'lib/util'], packages: ['protobufjs'] },
  'lib/api': { folders: ['lib/cli', 'lib/pipeline', 'lib/report', 'lib/util'], packages: [] },
  'lib/ui': { folders: ['lib/pipeline', 'lib/report', 'lib/util'], packages: ['esbuild', 'preact', 'uplot'] },
  'lib/cli': {
    folders: ['lib/pipeline', 'lib/report', 'lib/trackers', 'lib/ui', 'lib/util'],
    packages: ['commander', 'esbuild', 'log-update'],
  },
}

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const files = ['lib', 'stages'].flatMap((folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name)),
)
const imports = files.flatMap(importsOf)

describe('architecture', () => {
  it('finds the files and imports that it judges', () => {
    assert.ok(files.length > 40, `only ${files.length} files found`)
    assert.ok(imports.length > files.length)
  })

  it('has no arrow that the table does not allow', () => {
    assert.deepEqual(imports.filter(forbidden).map(arrow), [])
  })

  it('has no stage that imports another stage', () => {
    assert.deepEqual(
      imports.filter(({ from, to }) => from.startsWith('stages/') && to.startsWith('stages/')).map(arrow),
      [],
    )
  })

  it('lets lib/model see only the interface of an engine', () => {
    const beyond = imports.filter(
      ({ from, to }) => from.startsWith('lib/model/') && to.startsWith('lib/engine/') && to !== 'lib/engine/engine.ts',
    )
    assert.deepEqual(beyond.map(arrow), [])
  })

  it('loads koffi in one place: its stack can be made larger only before the first library', () => {
    const loading = imports.filter(({ to, typeOnly }) => to === 'koffi' && !typeOnly)
    assert.deepEqual(loading.map(arrow), ['lib/engine/ffi.ts -> koffi'])
  })

  it('lets the page take of the rest of the program types alone, and what runs in a browser', () => {
    const plain = /^lib\/ui\/page\/|^lib\/util\/(flatten|shell-word|short)\.ts$|^lib\/report\/(dag-layout|format)\.ts$/
    const inPage = imports.filter(({ from, typeOnly }) => from.startsWith('lib/ui/page/') && !typeOnly)
    const beyond = inPage.filter(({ to }) => (to.startsWith('lib/') ? !plain.test(to) : !/^(preact|uplot)\b/.test(to)))
    assert.deepEqual(beyond.map(arrow), [])
  })

  it('has no cycle of imports that run', () => {
    assert.equal(findCycle(), undefined)
  })

  it('has no file over 300 lines', () => {
    const long = files.filter((file) => readFileSync(file, 'utf8').split('\n').length > 301)
    assert.deepEqual(long, [])
  })

  it('keeps the console and process.exit in lib/cli, and in the processes that it starts', () => {
    const own = /^lib\/(cli|tools)\/|^lib\/pipeline\/(host|watchdog|executor\/job)\.ts$/
    const loud = files.filter(
      (file) => !own.test(file) && /\bconsole\.|process\.exit\(/.test(readFileSync(file, 'utf8')),
    )
    assert.deepEqual(loud, [])
  })
})

function importsOf(from: string): Import[] {
  const text = readFileSync(from, 'utf8')
  const statement =
    /^\s*(import|export)\s+(type\s+)?[^'"`;]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gm
  return [...text.matchAll(statement)].map((match) => {
    const target = match[3] ?? match[4] ?? match[5]!
    return {
      from,
      to: target.startsWith('.') ? normalize(join(dirname(from), target)) : target,
      typeOnly: Boolean(match[2]),
    }
  })
}

function forbidden({ from, to, typeOnly }: Import): boolean {
  const rule = allowed[folderOf(from)]
  if (!rule) return true
  if (to.startsWith('node:')) return false
  if (builtinModules.includes(to)) return true // say node:
  if (to === 'package.json') return from !== 'lib/cli/main.ts'
  if (to.startsWith('lib/') || to.startsWith('stages/')) {
    const folder = folderOf(to)
    return folder !== folderOf(from) && !rule.folders.includes(folder)
  }
  const name = to
    .split('/')
    .slice(0, to.startsWith('@') ? 2 : 1)
    .join('/')
  return !rule.packages.includes(name) && !(typeOnly && name === 'json-schema-to-ts')
}

function folderOf(file: string): string {
  return file.startsWith('lib/') ? file.split('/').slice(0, 2).join('/') : 'stages'
}

function arrow({ from, to }: Import): string {
  return `${from} -> ${to}`
}

function findCycle(): string | undefined {
  const next = new Map(
    files.map((file) => [file, imports.filter((one) => one.from === file && !one.typeOnly).map((one) => one.to)]),
  )
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file].join(' -> ')
    if (done.has(file)) return undefined
    for (const target of next.get(file) ?? []) {
      const cycle = visit(target, [...path, file])
      if (cycle) return cycle
    }
    done.add(file)
    return undefined
  }
  for (const file of files) {
    const cycle = visit(file, [])
    if (cycle) return cycle
  }
  return undefined
}
