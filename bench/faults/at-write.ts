import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Tool } from './tools.ts'

interface AtWrite {
  /** For a run of the tool. */
  readonly env: Readonly<Record<string, string>>
  /** How many calls that write it came to. */
  readonly count: () => number
}

/** Kills the tool at its n-th call that changes something below its project's folder; 0: none. */
export function atWrite(tool: Tool, folder: string, n: number): AtWrite {
  const counter = `${folder}.count`
  writeFileSync(counter, Buffer.alloc(8))
  const env = {
    LD_PRELOAD: library(dirname(folder)),
    FAULT_PROGRAM: tool.program,
    FAULT_BELOW: `${folder}/`,
    FAULT_COUNT: counter,
    FAULT_AT: String(n),
  }
  return { env, count: () => Number(readFileSync(counter).readBigInt64LE()) }
}

function library(folder: string): string {
  const file = join(folder, 'at-write.so')
  const args = ['-shared', '-fPIC', '-O1', '-o', file, join(import.meta.dirname, 'at-write.c'), '-ldl']
  if (!existsSync(file)) execFileSync('cc', args, { stdio: ['ignore', 2, 2] })
  return file
}
