import type * as Koffi from 'koffi'

export type Ffi = typeof Koffi

let loaded: Promise<Ffi> | undefined

/**
 * koffi, which calls C on a stack of its own. Its 2 MiB are too few for NVRTC on an expression nested 1,000 deep, and the
 * process dies of that; the size can be changed only before a library is loaded, so that nobody else may import it.
 */
export function loadFfi(): Promise<Ffi> {
  loaded ??= import('koffi').then((ffi) => {
    ffi.config({ sync_stack_size: 16 * 2 ** 20 })
    return ffi
  })
  return loaded
}
