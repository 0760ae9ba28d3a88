/// <reference lib="dom" />
import { useState } from 'preact/hooks'
import { announce } from './announce.tsx'

/** A command to take along. */
export function CommandBox({ label, command }: { readonly label: string; readonly command: string }) {
  const [copied, setCopied] = useState('')
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(command)
      setCopied(command)
      announce('The command is copied.')
    } catch {
      announce('The browser does not let this page copy: select the command instead.')
    }
  }
  return (
    <div class="command">
      <pre tabIndex={0} role="group" aria-label={label}>
        <code>{command}</code>
      </pre>
      <button type="button" onClick={() => void copy()}>
        {copied === command ? 'Copied' : 'Copy'}
      </button>
    </div>
  )
}
