// npm run schema: writes what editors check pipeline.yaml by. A test holds it equal to the schema it is made from.
import { writeFileSync } from 'node:fs'
import { editorSchema } from '../lib/pipeline/editor-schema.ts'

writeFileSync('pipeline.schema.json', editorSchema())
