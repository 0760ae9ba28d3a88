import { folded } from '../pipeline/file-names.ts'

/**
 * Gives names without the characters that a tracker bars: `distill[2,0.9]/loss` becomes `distill_2_0.9/loss`. Two names
 * never become one.
 */
export function namer(barred: RegExp): (name: string) => string {
  const given = new Map<string, string>()
  const taken = new Set<string>()
  return (name) => {
    const known = given.get(name)
    if (known !== undefined) return known
    const plain = name.replace(/\](?=\/|$)/g, '').replace(barred, '_')
    let free = plain
    // a name may become that of a folder, and not every disk tells case apart
    for (let n = 2; taken.has(folded(free)); n++) free = `${plain}_${n}`
    taken.add(folded(free))
    given.set(name, free)
    return free
  }
}
