import type { RemoteAddress } from './address.ts'
import type { Remote } from './remote.ts'

/** Loads what an address needs, and nothing that others need. Reaches nothing yet. */
export async function openRemote(address: RemoteAddress): Promise<Remote> {
  switch (address.kind) {
    case 'file':
      return new (await import('./file-remote.ts')).FileRemote(address)
    case 's3':
      return new (await import('./s3-remote.ts')).S3Remote(address)
  }
}
