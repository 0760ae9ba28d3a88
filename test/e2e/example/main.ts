import { readFileSync } from 'node:fs'
import { definePipeline } from 'distil-pipeline'
import type { Event } from 'distil-pipeline'

/** Two stages that come with the package, and one of its own. */
const pipeline = definePipeline({
  version: 1,
  params: { most: 3 },
  stages: {
    world: {
      run: 'npm:distil-pipeline/stages/world',
      with: { train: 20, validation: 5, test: 5, items: 8 },
      out: ['corpus', 'tasks', 'tokenizer'],
    },
    tokenize: {
      run: 'npm:distil-pipeline/stages/tokenize',
      in: { corpus: 'world.corpus', tokenizer: 'world.tokenizer' },
      out: ['tokens'],
    },
    count: { run: 'stages/count.ts', in: { tokens: 'tokenize.tokens' }, with: { most: '${most}' }, out: ['counts'] },
  },
})

const said: string[] = []
const onEvent = (event: Event): void => {
  if (event.type === 'stage-finished') said.push(`${event.name} ${event.outcome}`)
}
const ran = await pipeline.run({ set: process.argv.slice(2), onEvent })
if (!ran.ok) throw new Error(ran.error.map(({ code, message }) => `${message} [${code}]`).join('\n'))
const counts = JSON.parse(readFileSync('artifacts/count/counts', 'utf8')) as { readonly first: readonly unknown[] }
console.log(JSON.stringify({ said, named: counts.first.length }))
