import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { readJson } from '../../pipeline/files.ts'
import { Failure } from '../../util/failure.ts'
import { packageRoot } from '../../util/package-root.ts'
import { newProject } from '../new-project.ts'
import { write, writeJson } from '../output.ts'

interface Package {
  readonly name: string
  readonly version: string
  readonly devDependencies: Readonly<Record<string, string>>
}

/**
 * `pipeline init [FOLDER]`: a project of two small stages that runs as it is. A package.json that is there stays, and so does
 * an .npmrc; nothing is written where another of the files is there. Throws Failure INIT_EXISTS.
 */
export function init(folder = '.', { json = false }: { readonly json?: boolean }): number {
  const own = readJson(join(packageRoot(), 'package.json')) as unknown as Package
  const files = newProject(own.name)
  const target = resolve(folder)
  refuseToOverwrite(target, Object.keys(files))
  mkdirSync(target, { recursive: true })
  const from = dependencyOn(packageRoot(), own.version, realpathSync(target))
  const has = (file: string): boolean => existsSync(join(target, file))
  const hasPackage = has('package.json')
  const ownPackage = {
    'package.json': packageJson(basename(target), own, from),
    ...(has('.npmrc') ? {} : { '.npmrc': NPMRC }),
  }
  const all = { ...files, ...(hasPackage ? {} : ownPackage) }
  for (const [file, text] of Object.entries(all)) {
    mkdirSync(dirname(join(target, file)), { recursive: true })
    writeFileSync(join(target, file), text, { flag: 'wx' })
  }
  if (json) writeJson({ type: 'init', folder: target, files: Object.keys(all) })
  else
    write(
      [
        ...Object.keys(all).map((file) => `wrote    ${join(folder, file)}`),
        '',
        next(folder, hasPackage, own.name, from),
      ].join('\n'),
    )
  return 0
}

function refuseToOverwrite(target: string, files: readonly string[]): void {
  const there = files.filter((file) => existsSync(join(target, file)))
  if (there.length === 0) return
  const names = there.map((file) => `"${file}"`).join(', ')
  const advice = 'Nothing was written. Move them away, or name an empty folder: `pipeline init FOLDER`.'
  throw new Failure('INIT_EXISTS', `"${target}" has ${names} already. ${advice}`)
}

const NPMRC = `# no package's install script is needed; onnxruntime-node's fails where the host of its CUDA libraries cannot be reached
ignore-scripts=true
`

/** A clone is taken from the folder that it lies in. */
function dependencyOn(root: string, version: string, target: string): string {
  if (root.split(sep).includes('node_modules')) return `^${version}`
  return `file:${(relative(target, root) || '.').split(sep).join('/')}`
}

function packageJson(folder: string, { name, devDependencies }: Package, from: string): string {
  const { '@types/node': types, typescript } = devDependencies
  const content = {
    name:
      folder
        .toLowerCase()
        .replace(/[^a-z0-9-]+/g, '-')
        .replace(/^-+|-+$/g, '') || 'pipeline-project',
    private: true,
    type: 'module',
    dependencies: { [name]: from },
    devDependencies: { '@types/node': types, typescript },
  }
  return `${JSON.stringify(content, null, 2)}\n`
}

function next(folder: string, hasPackage: boolean, name: string, from: string): string {
  const isThere = existsSync(join(folder, 'node_modules', name))
  const install = isThere
    ? []
    : [hasPackage ? `npm install --ignore-scripts ${from.replace(/^\^/, `${name}@^`)}` : 'npm install']
  return [...(folder === '.' ? [] : [`cd ${folder}`]), ...install, 'npx pipeline run'].join('\n')
}
