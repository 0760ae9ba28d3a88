/// <reference lib="dom" />
import { useEffect, useState } from 'preact/hooks'

let tell: (text: string) => void = () => undefined

/** Says something to those who do not see the page, when what they hear now has ended. */
export const announce = (text: string): void => tell(text)

export function Announcer() {
  const [text, setText] = useState('')
  useEffect(() => {
    tell = setText
  }, [])
  return (
    <div class="hidden" aria-live="polite" role="status" data-announcer>
      {text}
    </div>
  )
}
