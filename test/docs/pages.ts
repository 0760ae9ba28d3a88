import { errorsPage } from './errors.ts'
import { parametersPage } from './parameters.ts'

/** The pages that are made from the code, by file. */
export const pages = async (): Promise<Readonly<Record<string, string>>> => ({
  'docs/errors.md': errorsPage(),
  'docs/parameters.md': await parametersPage(),
})
