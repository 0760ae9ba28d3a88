import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Where the Vulkan driver in software lies. */
export const folder = join(import.meta.dirname, '../../.cache/lavapipe')
export const driver = join(folder, 'lavapipe.json')

/** Brings the driver, if it is not there. */
export const bringDriver = (): void =>
  void execFileSync('bash', [join(import.meta.dirname, 'lavapipe.sh'), folder], { stdio: 'inherit' })

/** What makes a process take it. */
export const toDriver = {
  LD_LIBRARY_PATH: join(folder, 'root/usr/lib/x86_64-linux-gnu'),
  VK_DRIVER_FILES: driver,
  VK_ICD_FILENAMES: driver, // what older loaders call it
}
