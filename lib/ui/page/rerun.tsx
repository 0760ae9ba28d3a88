/// <reference lib="dom" />
import { useState } from 'preact/hooks'
import { flatten } from '../../util/flatten.ts'
import type { ExperimentDetails } from '../api.ts'
import { goneParameters, readSetting, runCommand, textOf, withValue } from './command.ts'
import { CommandBox } from './command-box.tsx'

/** The parameters, to change, and the command that runs the pipeline with them. */
export function Rerun({ files, params, paramsNow }: Pick<ExperimentDetails, 'files' | 'params' | 'paramsNow'>) {
  const [wanted, setWanted] = useState(params)
  const gone = goneParameters(params, paramsNow)
  const isChanged = JSON.stringify(wanted) !== JSON.stringify(params)
  return (
    <>
      <p class="quiet">
        {isChanged
          ? 'With the parameters as they are changed below:'
          : 'The stages as they are declared now, with the parameters of this experiment:'}
      </p>
      <CommandBox label="Command to run with these parameters" command={runCommand(files, wanted, paramsNow)} />
      {gone.length === 0 ? null : <p class="note">pipeline.yaml does not have {gone.join(', ')} any more.</p>}
      <details>
        <summary>Change parameters</summary>
        <div class="parameters">
          {flatten(params).map(([name, value]) => (
            <label key={name}>
              <span>{name}</span>
              <input
                defaultValue={textOf(value)}
                spellcheck={false}
                onInput={({ currentTarget }) =>
                  setWanted((before) => withValue(before, name, readSetting(currentTarget.value)))
                }
              />
            </label>
          ))}
        </div>
      </details>
    </>
  )
}
