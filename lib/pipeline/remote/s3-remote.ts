import type { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { Failure } from '../../util/failure.ts'
import { messageOf } from '../files.ts'
import type { RemoteAddress } from './address.ts'
import { remoteFailure } from './remote.ts'
import type { Content, Remote } from './remote.ts'

const PART_BYTES = 8 * 1024 * 1024
/** S3 takes 10,000 parts. */
const MOST_PARTS = 9_000
const CONNECT_MS = 3_000
/** A request on which nothing moves for so long has failed. */
const IDLE_MS = 20_000
/** An answer must have begun after so long, all attempts together; how long its body takes is another matter. */
const ANSWER_MS = 15_000

/** A bucket of S3, or of anything that speaks its protocol; the SDK's own variables and files say where, and who asks. */
export class S3Remote implements Remote {
  readonly address: string
  readonly #bucket: string
  readonly #prefix: string
  readonly #client: S3Client

  constructor({ text, bucket, prefix }: Extract<RemoteAddress, { kind: 's3' }>) {
    this.address = text
    this.#bucket = bucket
    this.#prefix = prefix
    const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env
    this.#client = withoutVersionWarning(
      () =>
        new S3Client({
          maxAttempts: 4,
          requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS },
          // servers of others have no names for buckets
          forcePathStyle: (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL ?? '') !== '',
          // every object is held against its digest; the newer checksums are not known to all servers
          requestChecksumCalculation: 'WHEN_REQUIRED',
          responseChecksumValidation: 'WHEN_REQUIRED',
        }),
    )
  }

  async read(name: string, signal: AbortSignal): Promise<Readable | undefined> {
    const found = await this.#absentOr('read', name, signal, (abortSignal) =>
      this.#client.send(new GetObjectCommand(this.#place(name)), { abortSignal }),
    )
    return found?.Body as Readable | undefined
  }

  async size(name: string, signal: AbortSignal): Promise<number | undefined> {
    const found = await this.#absentOr('read', name, signal, (abortSignal) =>
      this.#client.send(new HeadObjectCommand(this.#place(name)), { abortSignal }),
    )
    return found?.ContentLength
  }

  /** In one request, or in parts of which only the end makes an object. */
  async write(name: string, { size, open }: Content, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const body = open()
    const upload = new Upload({
      client: this.#client,
      params: { ...this.#place(name), Body: body },
      partSize: Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS)),
      queueSize: 2,
    })
    const stop = (): void => void upload.abort()
    const stopping = own(signal)
    stopping.addEventListener('abort', stop)
    try {
      await upload.done()
    } catch (error) {
      throw this.#failure('written', name, signal, error)
    } finally {
      stopping.removeEventListener('abort', stop)
      body.destroy()
    }
  }

  async create(name: string, text: string, signal: AbortSignal): Promise<boolean> {
    const made = await this.#absentOr('written', name, signal, async (abortSignal) => {
      const command = new PutObjectCommand({ ...this.#place(name), Body: text, IfNoneMatch: '*' })
      try {
        await this.#client.send(command, { abortSignal })
        return true
      } catch (error) {
        // 409: another asks for the same at this moment
        if (error instanceof S3ServiceException && [409, 412].includes(error.$metadata.httpStatusCode ?? 0))
          return false
        throw error
      }
    })
    return made === true
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#absentOr('removed', name, signal, (abortSignal) =>
      this.#client.send(new DeleteObjectCommand(this.#place(name)), { abortSignal }),
    )
  }

  async list(prefix: string, signal: AbortSignal): Promise<string[]> {
    const names: string[] = []
    for (let token: string | undefined; ;) {
      const place = { Bucket: this.#bucket, Prefix: this.#prefix + prefix }
      const command = new ListObjectsV2Command({
        ...place,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      })
      const page = await this.#absentOr('listed', prefix, signal, (abortSignal) =>
        this.#client.send(command, { abortSignal }),
      )
      names.push(...(page?.Contents ?? []).map(({ Key }) => Key!.slice(this.#prefix.length)))
      token = page?.NextContinuationToken
      if (token === undefined) return names.sort()
    }
  }

  #place(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + name }
  }

  async #absentOr<T>(
    doing: string,
    name: string,
    signal: AbortSignal,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), ANSWER_MS)
    try {
      return await ask(AbortSignal.any([signal, late.signal]))
    } catch (error) {
      // a bucket that is not there is not an object that is not there; an answer without a body does not tell
      if (error instanceof S3ServiceException && (error.name === 'NoSuchKey' || error.name === 'NotFound'))
        return undefined
      const why = late.signal.aborted ? new Error(`no answer in ${ANSWER_MS / 1000} s`) : error
      throw this.#failure(doing, name, signal, why)
    } finally {
      clearTimeout(timer)
    }
  }

  /** A content that failed on its own says more than the server. */
  #failure(doing: string, name: string, signal: AbortSignal, error: unknown): unknown {
    if (signal.aborted) return signal.reason
    if (error instanceof Failure) return error
    const status =
      error instanceof S3ServiceException ? ` (${error.name}, ${error.$metadata.httpStatusCode ?? '?'})` : ''
    return remoteFailure(this.address, `cannot be ${doing} at "${name}": ${messageOf(error)}${status}`, error)
  }
}

/** The SDK leaves its listeners behind: on a signal of the request's own they go with it. */
const own = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal])

/** That later versions of the SDK will want a newer Node is nothing that a user can act on: its version stands fixed. */
function withoutVersionWarning<T>(make: () => T): T {
  const { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: before } = process.env
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
  try {
    return make()
  } finally {
    // stages inherit the environment
    if (before === undefined) delete process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED']
  }
}
