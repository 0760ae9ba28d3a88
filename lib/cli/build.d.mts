import type { OutputFile, Plugin } from 'esbuild'

export function build(root: string, cache: string): Promise<string>
export function scripts(root: string, outdir: string): Promise<{ files: OutputFile[]; inputs: string[] }>
export function compiledValidator(root: string): Plugin
