import packageJson from '../../package.json' with { type: 'json' }
import { main } from './program.ts'

void main(process.argv.slice(2), packageJson.version)
