import { programOf } from './debian.ts'

/**
 * A machine of another name, whose processes do not see ours, with a clock that many hours from ours. What faketime
 * keeps for a process it keeps under its pid, which is not the only one of its number: each has its own /dev/shm.
 */
export const onHost = (
  name: string,
  hours: number,
): { readonly wrapper: readonly string[]; readonly env: Record<string, string> } => {
  const clock = hours === 0 ? [] : [programOf('faketime'), '-f', `${hours > 0 ? '+' : ''}${hours}h`]
  const host = [
    'unshare',
    '--uts',
    '--pid',
    '--fork',
    '--mount-proc',
    '--kill-child',
    'sh',
    '-c',
    'mount -t tmpfs none /dev/shm; hostname "$0"; exec "$@"',
    name,
  ]
  return { wrapper: [...host, ...clock], env: { FAKETIME_DONT_FAKE_MONOTONIC: '1' } }
}
