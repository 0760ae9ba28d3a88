import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where the hub is, and where what was fetched lies: the variables of the hub's official clients. */
export interface FetchSettings {
  /** Without a slash at its end. */
  readonly endpoint: string
  readonly token: string | undefined
  /** The folder of repositories, in the layout that the official clients share. */
  readonly cache: string
  /** The folder of what other servers gave, by digest. */
  readonly webCache: string
  /** Nothing is asked of the network. */
  readonly offline: boolean
}

/** HF_ENDPOINT, HF_TOKEN (or the file that `hf auth login` writes), HF_HUB_CACHE, HF_HOME, HF_HUB_OFFLINE. */
export function fetchSettings(env: NodeJS.ProcessEnv = process.env): FetchSettings {
  const home = env['HF_HOME'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface')
  return {
    endpoint: (env['HF_ENDPOINT'] ?? 'https://huggingface.co').replace(/\/+$/, ''),
    token: env['HF_TOKEN'] ?? readToken(env['HF_TOKEN_PATH'] ?? join(home, 'token')),
    cache: env['HF_HUB_CACHE'] ?? join(home, 'hub'),
    webCache: join(home, 'https'),
    offline: /^(1|on|yes|true)$/i.test(env['HF_HUB_OFFLINE'] ?? ''),
  }
}

function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch {
    return undefined // nobody has logged in
  }
}
