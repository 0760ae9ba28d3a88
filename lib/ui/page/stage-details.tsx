/// <reference lib="dom" />
import type { Artifacts, StageDetails } from '../api.ts'
import { get, useLoaded, withQuery } from './client.ts'
import { brief, size } from './format.ts'
import { Log } from './log.tsx'
import { Facts, factsOf } from './metrics.tsx'

/** More files are a listing that nobody reads. */
const MOST_FILES = 200

/** One stage of an experiment: what it was given, its files, its log. */
export function StageView({ stage }: { readonly stage: StageDetails }) {
  const { name, key } = stage
  const place = { stage: name, key }
  const { value: files } = useLoaded(`${name} ${key}`, () => get<Artifacts>('/api/artifacts', place))
  return (
    <div class="stage">
      <h3>Files</h3>
      {files === undefined ? null : files === null ? (
        <p class="quiet">
          The result is not in the store. <code>npx pipeline run</code> makes it again.
        </p>
      ) : (
        <ul class="files">
          {files.slice(0, MOST_FILES).map(({ path, size: bytes }) => (
            <li key={path}>
              <a href={withQuery('/api/artifact', { ...place, path })} target="_blank" rel="noreferrer">
                {path}
              </a>
              <span class="quiet">{size(bytes)}</span>
              <a href={withQuery('/api/artifact', { ...place, path, download: '' })} aria-label={`Download ${path}`}>
                download
              </a>
            </li>
          ))}
          {files.length > MOST_FILES ? <li class="quiet">and {files.length - MOST_FILES} more</li> : null}
        </ul>
      )}
      <h3>Log</h3>
      <Log stage={name} of={{ key }} isLive={false} />
      <details>
        <summary>Parameters, defaults filled in</summary>
        <Facts facts={[['key', brief(key)], ...factsOf(stage.with)]} />
      </details>
    </div>
  )
}
