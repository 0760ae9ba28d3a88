import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isPublished, packageRoot } from '../util/package-root.ts'

/** The page's files by name. */
export type PageFiles = Readonly<Record<'page.js' | 'page.css', Uint8Array>>

/** Where a published package has them. */
export const PAGE_FOLDER = join('dist', 'ui')

/** The page's script and style: bundled from its sources in a clone, ready made in a published package. */
export async function pageFiles(): Promise<PageFiles> {
  const root = packageRoot()
  if (!isPublished()) return bundlePage(root)
  const file = (name: string): Uint8Array => readFileSync(join(root, PAGE_FOLDER, name))
  return { 'page.js': file('page.js'), 'page.css': file('page.css') }
}

export async function bundlePage(root: string): Promise<PageFiles> {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: ['main.tsx', 'page.css'].map((name) => ({ in: join(root, 'lib/ui/page', name), out: 'page' })),
    outdir: root,
    absWorkingDir: root,
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'silent',
  })
  const named = (end: string): Uint8Array => outputFiles.find(({ path }) => path.endsWith(end))!.contents
  return { 'page.js': named('.js'), 'page.css': named('.css') }
}

export const SHELL = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>pipeline</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script type="module" src="/page.js"></script>
</head>
<body><div id="app"><noscript>This page needs JavaScript.</noscript></div></body>
</html>
`
