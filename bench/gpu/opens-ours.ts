import { openNamed } from './engine.ts'

/** opens-ours ENGINE: says what it would run on, or why it does not work here (exit code 1). */
const [name = ''] = process.argv.slice(2)
try {
  console.log(`${name}: ${(await openNamed(name)).device}`)
  process.exit(0) // the driver's threads would hold the process
} catch (error) {
  console.log(error instanceof Error ? error.message.split('\n')[0] : error)
  process.exit(1)
}
