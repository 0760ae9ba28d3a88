import { existsSync, readFileSync } from 'node:fs'

/** undefined where the file is not there: it is yet to be run. */
export const readText = (file: string): string | undefined =>
  existsSync(file) ? readFileSync(file, 'utf8') : undefined

export function readJson(file: string): unknown {
  const text = readText(file)
  return text === undefined ? undefined : JSON.parse(text)
}
