import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..')
/** Pinned; what the references are made with, too. */
const requirements = join(root, 'test', 'reference', 'requirements-harness.txt')
const folder = join(import.meta.dirname, '.peers', 'venv')
/** What was installed into it. */
const installed = join(folder, 'installed.txt')

/** The Python of `bench/.peers/venv`, with the peers' packages from PyPI, installed where these are not there, or others. */
export function python(): Promise<string> {
  const program = join(folder, 'bin', 'python')
  const wanted = pinned(requirements)
  if (!existsSync(installed) || readFileSync(installed, 'utf8') !== wanted || !canImport(program)) {
    install()
    if (!canImport(program)) throw new Error(`${program} cannot import what ${requirements} names: remove ${folder}`)
    writeFileSync(installed, wanted)
  }
  return Promise.resolve(program)
}

/** With the files that it includes: `-r requirements.txt`. */
function pinned(file: string): string {
  const text = readFileSync(file, 'utf8')
  return text.replace(/^-r (.*)$/gm, (_, included: string) => pinned(join(dirname(file), included)))
}

function canImport(program: string): boolean {
  try {
    execFileSync(program, ['-c', 'import torch, transformers, numpy, accelerate, lm_eval'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function install(): void {
  console.error(`installing ${requirements} into ${folder}: this takes minutes`)
  try {
    execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 2, 2] }) // one that is whole it leaves
  } catch (cause) {
    throw new Error('python3 with its module venv is needed for the peers: apt install python3-venv', { cause })
  }
  execFileSync(join(folder, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '-r', requirements], {
    stdio: ['ignore', 2, 2],
  })
}
