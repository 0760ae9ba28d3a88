/// <reference lib="dom" />
import { useEffect, useState } from 'preact/hooks'
import type { Live, PlainFailure, Refusal } from '../api.ts'

/** What the server did not answer, in its words. */
export class Refused extends Error {
  readonly failures: readonly PlainFailure[]
  constructor(failures: readonly PlainFailure[]) {
    super(failures.map(({ message }) => message).join('\n'))
    this.failures = failures
  }
}

/** An answer of the server. Throws Refused. */
export async function get<T>(
  path: string,
  query: Readonly<Record<string, string | readonly string[]>> = {},
): Promise<T> {
  const response = await fetch(withQuery(path, query))
  const type = response.headers.get('content-type') ?? ''
  if (type.startsWith('application/json')) {
    const answer = (await response.json()) as T | Refusal
    if (isRefusal(answer)) throw new Refused(answer.failures)
    return answer
  }
  throw new Error(`${response.status}: ${await response.text()}`)
}

const isRefusal = (answer: unknown): answer is Refusal =>
  typeof answer === 'object' && answer !== null && 'failures' in answer

export function withQuery(path: string, query: Readonly<Record<string, string | readonly string[]>>): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    for (const one of typeof value === 'string' ? [value] : value) parameters.append(name, one)
  const text = parameters.toString()
  return text === '' ? path : `${path}?${text}`
}

export interface Loaded<T> {
  readonly value: T | undefined
  readonly error: string | undefined
}

/** Loads again whenever `key` is another; the last value stays in sight meanwhile. */
export function useLoaded<T>(key: string, load: () => Promise<T>): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: undefined, error: undefined })
  useEffect(() => {
    let isCurrent = true
    load().then(
      (value) => isCurrent && setLoaded({ value, error: undefined }),
      (error: unknown) => isCurrent && setLoaded(({ value }) => ({ value, error: messageOf(error) })),
    )
    return () => {
      isCurrent = false
    }
  }, [key])
  return loaded
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What the server says as it happens; `lost` while it cannot be reached. */
export function useLive(): { readonly live: Live | undefined; readonly lost: boolean } {
  const [live, setLive] = useState<Live>()
  const [lost, setLost] = useState(false)
  useEffect(() => {
    const source = new EventSource('/api/live')
    source.onmessage = ({ data }: MessageEvent<string>) => {
      setLive(JSON.parse(data) as Live)
      setLost(false)
    }
    source.onerror = () => setLost(true)
    return () => source.close()
  }, [])
  return { live, lost }
}
