/// <reference lib="dom" />
import { useState } from 'preact/hooks'
import type { Field } from '../api.ts'

export interface Filter {
  /** As `pipeline list --where` takes them. */
  readonly where: readonly string[]
  readonly text: string
}

interface FiltersProps {
  readonly filter: Filter
  readonly fields: readonly Field[]
  readonly error: string | undefined
  readonly onChange: (filter: Filter) => void
}

/** Conditions as `pipeline list --where` takes them; what is no condition is looked for in hashes and tags. */
export function Filters({ filter, fields, error, onChange }: FiltersProps) {
  const [written, setWritten] = useState('')
  const submit = (event: Event): void => {
    event.preventDefault()
    const text = written.trim()
    if (text === '') return
    if (/[=<>]/.test(text)) onChange({ ...filter, where: [...filter.where.filter((one) => one !== text), text] })
    else onChange({ ...filter, text })
    setWritten('')
  }
  const chips = [
    ...filter.where.map((text) => ({ text, left: { ...filter, where: filter.where.filter((one) => one !== text) } })),
    ...(filter.text === '' ? [] : [{ text: `hash or tag: ${filter.text}`, left: { ...filter, text: '' } }]),
  ]
  return (
    <form class="filters" role="search" onSubmit={submit}>
      <label for="filter">Filter</label>
      <input
        id="filter"
        list="fields"
        autocomplete="off"
        spellcheck={false}
        value={written}
        placeholder="distill.temperature >= 2, a hash or a tag"
        aria-invalid={error !== undefined}
        aria-describedby={error === undefined ? undefined : 'filter-error'}
        onInput={({ currentTarget }) => setWritten(currentTarget.value)}
      />
      <datalist id="fields">
        {fields.map(({ name, label }) => (
          <option key={name} value={`${label}=`} />
        ))}
      </datalist>
      <button type="submit">Add</button>
      <ul class="chips" aria-label="Filters">
        {chips.map(({ text, left }) => (
          <li key={text}>
            {text}
            <button type="button" aria-label={`Remove the filter ${text}`} onClick={() => onChange(left)}>
              ×
            </button>
          </li>
        ))}
      </ul>
      {error === undefined ? null : (
        <p id="filter-error" class="error" role="alert">
          {error}
        </p>
      )}
    </form>
  )
}
