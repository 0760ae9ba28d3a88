import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import type { JsonObject } from '../util/json.ts'

/** An MLflow server's REST API 2.0. */
export interface Server {
  /** Without a slash at its end, and without a password: messages name it. */
  readonly uri: string
  readonly authorization: string | undefined
  readonly signal: AbortSignal
}

/** A server that does not answer for so long is down. */
const PATIENCE_MS = 30_000

/** The server of MLFLOW_TRACKING_URI. Throws Failure MLFLOW_URI. */
export function serverOf(env: NodeJS.ProcessEnv, signal: AbortSignal): Server {
  const uri = env['MLFLOW_TRACKING_URI'] ?? ''
  const expected = "Set it to your MLflow server's address: MLFLOW_TRACKING_URI=http://127.0.0.1:5000"
  if (uri === '') throw new Failure('MLFLOW_URI', `MLFLOW_TRACKING_URI is not set. ${expected}`)
  const url = URL.canParse(uri) ? new URL(uri) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    // it may hold a password: it is not shown
    throw new Failure('MLFLOW_URI', `MLFLOW_TRACKING_URI is no address of a server, http: or https:. ${expected}`)
  }
  const authorization = authorizationOf(env, url)
  url.username = url.password = ''
  return { uri: url.href.replace(/\/+$/, ''), authorization, signal }
}

/** As MLflow's own clients: a name and password go before a token. In an address they may be escaped. */
function authorizationOf(env: NodeJS.ProcessEnv, url: URL): string | undefined {
  const name = env['MLFLOW_TRACKING_USERNAME'] ?? unescaped(url.username)
  const password = env['MLFLOW_TRACKING_PASSWORD'] ?? unescaped(url.password)
  const token = env['MLFLOW_TRACKING_TOKEN'] ?? ''
  if (name !== '') return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
  return token === '' ? undefined : `Bearer ${token}`
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a lone %
  }
}

/** What the server answers; undefined where it says that there is no such thing. Throws Failure MLFLOW_…. */
export async function ask(
  server: Server,
  method: 'GET' | 'POST',
  call: string,
  body?: JsonObject,
): Promise<JsonObject | undefined> {
  const { status, text } = await send(server, method, call, body)
  const answer = parse(text)
  if (status === 200 && answer !== undefined) return answer
  if (answer?.['error_code'] === 'RESOURCE_DOES_NOT_EXIST') return undefined
  throw refused(server, status, answer, call)
}

async function send(
  { uri, authorization, signal }: Server,
  method: string,
  call: string,
  body: JsonObject | undefined,
): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(`${uri}/api/2.0/mlflow/${call}`, {
      method,
      headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, text: await response.text() }
  } catch (cause) {
    if (signal.aborted) throw new Failure('LOG_STOPPED', 'Logging to MLflow was stopped.', { exitCode: 1 })
    const message = `The MLflow server "${uri}" could not be reached: ${reasonOf(cause)}. Start it, or correct MLFLOW_TRACKING_URI.`
    throw new Failure('MLFLOW_UNREACHABLE', message, { exitCode: 1, cause })
  }
}

/** `fetch` says "fetch failed" and keeps the reason for its cause; of several addresses tried, the code alone. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  return cause.message !== '' || !('code' in cause) ? cause.message : String(cause.code)
}

function parse(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return isRecord(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}

function refused({ uri }: Server, status: number, answer: JsonObject | undefined, call: string): Failure {
  if (status === 401 || status === 403) {
    const advice = 'Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN'
    const message = `The MLflow server "${uri}" refuses this login (${status}). ${advice}.`
    return new Failure('MLFLOW_UNAUTHORIZED', message)
  }
  const said = answer?.['message']
  const because = typeof said === 'string' ? said.slice(0, 300) : 'its answer is none of MLflow. Check the address'
  return new Failure('MLFLOW_REFUSED', `"${uri}" answered ${status} to ${call}: ${because}.`, { exitCode: 1 })
}
