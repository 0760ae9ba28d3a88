/// <reference lib="dom" />
import { useRef, useState } from 'preact/hooks'
import type { Field } from '../api.ts'

interface ColumnsProps {
  readonly fields: readonly Field[]
  readonly columns: readonly string[]
  /** Undefined: what is worth seeing. */
  readonly onChange: (columns: readonly string[] | undefined) => void
}

const KINDS = { parameter: 'Parameters', metric: 'Metrics' } as const

/** Which parameters and metrics stand in the table. */
export function Columns({ fields, columns, onChange }: ColumnsProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [text, setText] = useState('')
  const toggle = (name: string, isShown: boolean): void =>
    onChange(isShown ? [...columns, name] : columns.filter((one) => one !== name))
  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        Columns
      </button>
      <dialog ref={dialog} aria-labelledby="columns-title">
        <h2 id="columns-title">Columns</h2>
        <input
          type="search"
          aria-label="Find a column"
          placeholder="Find a column"
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <div class="fields" tabIndex={0} role="group" aria-label="Columns to choose from">
          {(Object.keys(KINDS) as (keyof typeof KINDS)[]).map((kind) => (
            <fieldset key={kind}>
              <legend>{KINDS[kind]}</legend>
              {fields
                .filter((field) => field.kind === kind && field.label.toLowerCase().includes(text.toLowerCase()))
                .map(({ name, label }) => (
                  <label key={name}>
                    <input
                      type="checkbox"
                      checked={columns.includes(name)}
                      onChange={({ currentTarget }) => toggle(name, currentTarget.checked)}
                    />
                    {label}
                  </label>
                ))}
            </fieldset>
          ))}
        </div>
        <div class="actions">
          <button type="button" onClick={() => onChange(undefined)}>
            What differs
          </button>
          <button type="button" class="main" onClick={() => dialog.current?.close()}>
            Done
          </button>
        </div>
      </dialog>
    </>
  )
}
