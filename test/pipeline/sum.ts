/** Adds up `rate` so many times, goes on from what it finds in `extend`, and says what it added itself. */
export const SUM = `import { existsSync, mkdirSync, readFileSync, writeFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
export default {
  params: { properties: { epochs: { type: 'integer' }, rate: { type: 'number' } } },
  in: [],
  out: ['sum'],
  extend: ['epochs'],
  async run({ with: { epochs, rate }, out, checkpoint, log }) {
    const file = join(checkpoint, 'extend', 'state.json')
    let { done, sum } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { done: 0, sum: 0 }
    if (done > epochs) ({ done, sum } = { done: 0, sum: 0 })
    log('took ' + (epochs - done))
    for (; done < epochs; done++) sum += rate
    mkdirSync(join(checkpoint, 'extend'), { recursive: true })
    writeFileSync(join(checkpoint, 'half'), 'x'.repeat(5000))
    rmSync(file, { force: true })
    writeFileSync(file, JSON.stringify({ done, sum }))
    writeFileSync(out.sum, String(sum))
  },
}
`
