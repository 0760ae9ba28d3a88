import type { BuildResult } from 'esbuild'

export function build(root: string, cache: string): Promise<string>
export function bundle(
  root: string,
  outdir: string,
  entryPoints: Readonly<Record<string, string>>,
): Promise<BuildResult<{ write: false; metafile: true }>>
