import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
/** Pinned; what the references are made with, too. */
const requirements = join(root, 'test', 'reference', 'requirements-harness.txt')

/** The Python of `bench/.peers/venv`, made with the peers' packages where it is not there yet. */
export function python(): Promise<string> {
  const folder = join(import.meta.dirname, '.peers', 'venv')
  const program = join(folder, 'bin', 'python')
  if (!existsSync(program) || !canImport(program)) install(folder)
  return Promise.resolve(program)
}

function canImport(program: string): boolean {
  try {
    execFileSync(program, ['-c', 'import torch, transformers, numpy, accelerate, lm_eval'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function install(folder: string): void {
  console.error(`installing ${requirements} into ${folder}: this takes minutes`)
  if (!existsSync(folder)) execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 2, 2] })
  execFileSync(join(folder, 'bin', 'pip'), ['install', '--quiet', '-r', requirements], { stdio: ['ignore', 2, 2] })
}
