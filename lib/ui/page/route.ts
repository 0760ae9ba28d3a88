/// <reference lib="dom" />
import { useEffect, useState } from 'preact/hooks'
import { withQuery } from './client.ts'

/** Where the page is: what stands behind the `#` of its address, so that it can be kept and gone back to. */
export interface Route {
  readonly path: string
  readonly query: URLSearchParams
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  return { path: path === '' ? '/' : path, query: new URLSearchParams(query) }
}

export const linkTo = (path: string, query: Readonly<Record<string, string | readonly string[]>> = {}): string =>
  `#${withQuery(path, query)}`

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const change = (): void => setHash(location.hash)
    addEventListener('hashchange', change)
    return () => removeEventListener('hashchange', change)
  }, [])
  return parseRoute(hash)
}

/** Changes what is asked for, and is no step to go back from. */
export const replaceRoute = (link: string): void => location.replace(link)
