import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const packages = ['torch==2.9.1', 'transformers==4.57.3', 'numpy']

/** The Python of `bench/.peers/venv`, made with the peers' packages where it is not there yet. */
export function python(): Promise<string> {
  const folder = join(import.meta.dirname, '.peers', 'venv')
  const program = join(folder, 'bin', 'python')
  if (!existsSync(program) || !canImport(program)) install(folder)
  return Promise.resolve(program)
}

function canImport(program: string): boolean {
  try {
    execFileSync(program, ['-c', 'import torch, transformers, numpy'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function install(folder: string): void {
  console.error(`installing ${packages.join(' ')} into ${folder}: this takes minutes`)
  if (!existsSync(folder)) execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 2, 2] })
  execFileSync(join(folder, 'bin', 'pip'), ['install', '--quiet', ...packages], { stdio: ['ignore', 2, 2] })
}
