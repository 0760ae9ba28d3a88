import { quoted } from '../util/shell-word.ts'
import type { ConfigOptions } from './options.ts'

/** `npx pipeline run distill -p recipes/quick.yaml --set seed=2`: `words`, then what was laid over pipeline.yaml. */
export function runCommand({ recipe = [], set = [] }: Partial<ConfigOptions>, ...words: readonly string[]): string {
  const laid = [...recipe.flatMap((file) => ['-p', file]), ...set.flatMap((setting) => ['--set', setting])]
  return ['npx pipeline run', ...[...words, ...laid].map(quoted)].join(' ')
}
