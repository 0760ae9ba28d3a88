/// <reference lib="dom" />
import { useEffect, useRef, useState } from 'preact/hooks'
import type { LogPart } from '../api.ts'
import { get } from './client.ts'

interface LogProps {
  readonly stage: string
  /** Of a run, or of the key of a result. */
  readonly of: { readonly run: string } | { readonly key: string }
  readonly isLive: boolean
}

const EVERY_MS = 1000
const MOST_CHARACTERS = 200_000

/** What a stage wrote, and writes. Stays at its end unless someone has scrolled up. */
export function Log({ stage, of, isLive }: LogProps) {
  const [text, setText] = useState<string>()
  const box = useRef<HTMLPreElement>(null)
  useEffect(() => follow({ ...of, stage }, isLive, setText), [stage, JSON.stringify(of), isLive])
  useEffect(() => {
    const { current } = box
    if (current && current.scrollHeight - current.scrollTop - current.clientHeight < 200)
      current.scrollTop = current.scrollHeight
  }, [text])
  if (text === undefined)
    return <p class="quiet">No log is here: the result is not in the store, or has written nothing.</p>
  return (
    <pre class="log" ref={box} tabIndex={0} role="log" aria-live="off" aria-label={`Log of ${stage}`}>
      {text === '' ? 'It has written nothing.' : text}
    </pre>
  )
}

/** Reads on until it is told to end. */
function follow(query: Record<string, string>, isLive: boolean, show: (text: string | undefined) => void): () => void {
  let [from, all, ended] = [0, '', false]
  let timer: ReturnType<typeof setTimeout> | undefined
  const read = async (): Promise<void> => {
    const part = await get<LogPart | null>('/api/log', { ...query, from: String(from) }).catch(() => null)
    if (ended) return
    if (part !== null) {
      all = (all + part.text).slice(-MOST_CHARACTERS)
      from = part.next
      show(all)
    }
    if (isLive) timer = setTimeout(() => void read(), EVERY_MS)
  }
  show(undefined)
  void read()
  return () => {
    ended = true
    clearTimeout(timer)
  }
}
