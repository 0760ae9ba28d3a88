import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Place } from './command.ts'
import type { Context } from './command.ts'

/** Each try says which it is in a line of `size` bytes; the one that `good` names succeeds. */
const pipelineWith = (tries: number): string => `version: 1
stages:
  flaky:
    cmd: [sh, -c, 'echo >> tries; n=$(wc -l < tries); echo "try" $n; head -c "$(cat size)" /dev/zero; [ $n -ge "$(cat good)" ] && echo done > "$0"', '\${out.text}']
    out: [text]
    retries: { times: ${tries - 1}, backoff: 0 }
`

function placeWith(t: Context, tries: number, good: number): Place {
  const place = new Place(t)
  place.write('pipeline.yaml', pipelineWith(tries))
  place.write('good', String(good))
  place.write('size', '0')
  return place
}

const logsIn = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.startsWith('log'))
      .map((name) => [name, readFileSync(join(folder, name), 'latin1').replaceAll('\0', '')]),
  )

const failedFolder = (place: Place): string => {
  const folder = join(place.root, 'artifacts/store/flaky')
  return join(
    folder,
    readdirSync(folder).find((name) => name.startsWith('.failed-'))!,
  )
}

test('each try has a log of its own beside the result, and `log STAGE` prints the last and names the others', async (t) => {
  const place = placeWith(t, 3, 3)
  assert.equal((await place.run('run')).code, 0)
  assert.deepEqual(logsIn(join(place.root, 'artifacts/flaky')), {
    'log.txt': 'try 3\n',
    'log.try-1.txt': 'try 1\n',
    'log.try-2.txt': 'try 2\n',
  })
  const { out, errors, code } = await place.run('log', 'flaky')
  assert.deepEqual([code, out], [0, 'try 3\n'])
  assert.match(errors, /^earlier tries: artifacts\/store\/flaky\/\w{64}\/log\.try-1\.txt, .*\/log\.try-2\.txt\n$/)
  const json = JSON.parse((await place.run('log', 'flaky', '--json')).out) as { log: string; earlier: string[] }
  assert.deepEqual(
    [json.log, ...json.earlier].map((file) => readFileSync(file, 'utf8')),
    ['try 3\n', 'try 1\n', 'try 2\n'],
  )
  assert.equal((await place.run('verify')).code, 0)
  assert.equal((await place.lines()).code, 0, 'it is fresh')
})

test('so has what failed for good; the next run begins with none of them', async (t) => {
  const place = placeWith(t, 2, 3)
  const { errors } = await place.run('run')
  assert.deepEqual(logsIn(failedFolder(place)), { 'log.txt': 'try 2\n', 'log.try-1.txt': 'try 1\n' })
  assert.equal(readFileSync(/its log: (.*)/.exec(errors)![1]!, 'utf8'), 'try 2\n')
  const said = await place.run('log', 'flaky')
  assert.deepEqual([said.out, /log\.try-1\.txt\n$/.test(said.errors)], ['try 2\n', true])
  assert.equal((await place.run('run')).code, 0)
  assert.deepEqual(logsIn(join(place.root, 'artifacts/flaky')), { 'log.txt': 'try 3\n' })
  assert.equal((await place.run('log', 'flaky')).errors, '')
})

test('of many tries the logs of the last nine before it are kept, and of large ones 64 MiB', async (t) => {
  const place = placeWith(t, 12, 12)
  assert.equal((await place.run('run')).code, 0)
  const kept = Array.from({ length: 9 }, (_, i) => `log.try-${i + 3}.txt`)
  assert.deepEqual(Object.keys(logsIn(join(place.root, 'artifacts/flaky'))).sort(), [...kept, 'log.txt'].sort())

  const large = placeWith(t, 4, 4)
  large.write('size', String(33 * 1024 * 1024))
  assert.equal((await large.run('run')).code, 0)
  assert.deepEqual(logsIn(join(large.root, 'artifacts/flaky')), { 'log.txt': 'try 4\n', 'log.try-3.txt': 'try 3\n' })
})

test('an output may not have the name of such a log', async (t) => {
  const place = placeWith(t, 1, 1)
  place.write('pipeline.yaml', pipelineWith(1).replace('[text]', '[text: log.try-1.txt]'))
  assert.match((await place.run('run')).errors, /"log\.try-1\.txt" is kept by the pipeline itself/)
})
