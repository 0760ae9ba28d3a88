import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { Place, outcomes } from './command.ts'
import type { Line } from './command.ts'

/** A place where the hook in Node is all there is: a PATH without strace, as on macOS. */
function makePlace(t: TestContext): Place {
  const place = new Place(t)
  mkdirSync(join(place.root, 'bin'))
  for (const name of ['sh', 'cat']) {
    const program = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
    symlinkSync(program, join(place.root, 'bin', name))
  }
  place.env.PATH = join(place.root, 'bin')
  place.write('input.txt', 'declared')
  return place
}

/** A module that runs `body`, where `at('NAME')` is a path in the project. */
const module = (root: string, body: string, imports = ''): string => `import fs from 'node:fs'
import { writeFileSync } from 'node:fs'
${imports}
const at = (name) => ${JSON.stringify(root)} + '/' + name
export default { params: { type: 'object' }, in: ['text'], out: ['text'], async run({ in: inputs, out }) {
${body}
  writeFileSync(out.text, fs.readFileSync(inputs.text))
} }`

const STAGE = 's: { run: s.ts, in: { text: input.txt }, out: [text] }'
const yaml = (...stages: string[]): string => `version: 1\nstages:\n${stages.map((line) => `  ${line}\n`).join('')}`

interface Audited {
  readonly code: number | null
  /** `CODE subject verb object`, without what to do. */
  readonly found: readonly string[]
  readonly last: Line
}

async function audit(place: Place, ...args: string[]): Promise<Audited> {
  const { code, lines, last } = await place.lines('--audit', ...args)
  const found = lines.flatMap(({ type, code: kind, message }) =>
    type === 'notice' ? [`${String(kind)} ${String(message).replace(/\. .*/s, '')}`] : [],
  )
  return { code, found: found.toSorted(), last }
}

async function auditBody(t: TestContext, body: string, imports?: string, prepare?: (place: Place) => void) {
  const place = makePlace(t)
  prepare?.(place)
  place.write('s.ts', module(place.root, body, imports))
  place.write('pipeline.yaml', yaml(STAGE))
  const audited = await audit(place)
  assert.deepEqual(outcomes(audited.last), ['s: ran'])
  return audited
}

/** Each form reads the file \`NAME/x\`, a folder of its own, so that each is told. */
const READS: Readonly<Record<string, string>> = {
  readFileSync: 'fs.readFileSync(at("readFileSync/x"))',
  named: 'readFileSync(at("named/x"), "utf8")',
  callback: 'await new Promise((end) => fs.readFile(at("callback/x"), end))',
  promises: 'await fs.promises.readFile(at("promises/x"))',
  'fs-promises': 'await readFile(at("fs-promises/x"))',
  promisified: 'await promisify(fs.readFile)(at("promisified/x"))',
  stream: 'for await (const part of fs.createReadStream(at("stream/x"))) void part',
  openSync: 'fs.closeSync(fs.openSync(at("openSync/x")))',
  open: 'await new Promise((end) => fs.open(at("open/x"), "r", (_, fd) => fs.close(fd, end)))',
  handle: 'await (await fs.promises.open(at("handle/x"))).close()',
  url: 'fs.readFileSync(pathToFileURL(at("url/x")))',
  bytes: 'fs.readFileSync(Buffer.from(at("bytes/x")))',
  relative: 'fs.readFileSync(relative(process.cwd(), at("relative/x")))',
  require: 'createRequire(import.meta.url)("fs").readFileSync(at("require/x"))',
  copied: 'fs.copyFileSync(at("copied/x"), "copy")',
  cp: 'fs.cpSync(at("cp/x"), "cp")',
  linked: 'fs.linkSync(at("linked/x"), "hard")',
  update: 'fs.closeSync(fs.openSync(at("update/x"), "r+"))',
  thread:
    'await new Promise((end) => new Worker(new URL("./thread.ts", import.meta.url), { workerData: at("thread/x") }).on("exit", end))',
}

it('names what a module reads and did not declare, by whatever function it reads it', async (t) => {
  const imports = `import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'`
  const { code, found } = await auditBody(t, Object.values(READS).join('\n'), imports, (place) => {
    for (const name of Object.keys(READS)) place.write(`${name}/x`, name)
    place.write(
      'thread.ts',
      `import { readFileSync } from 'node:fs'\nimport { workerData } from 'node:worker_threads'\nreadFileSync(workerData)\n`,
    )
  })
  const reads = Object.keys(READS).map((name) => `UNDECLARED_READ "s" reads "${name}/x"`)
  assert.deepEqual(found, [...reads, 'UNDECLARED_WRITE "s" writes "update/x"'].toSorted())
  assert.equal(code, 1)
})

it('names folders that are listed, links with what they lead to, and files that are looked for', async (t) => {
  const body = `fs.readdirSync(at('a')); await fs.promises.readdir(at('b')); await (await fs.promises.opendir(at('c'))).close()
fs.readFileSync(at('link'))
fs.existsSync(at('d/x')); fs.statSync(at('e/x')); await fs.promises.access(at('f/x')).catch(() => 0)
try { fs.readFileSync(at('none.json')) } catch {}
for (let i = 0; i < 7; i++) fs.readFileSync(at('many/' + i))`
  const { found } = await auditBody(t, body, '', (place) => {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'many']) mkdirSync(join(place.root, name))
    for (let i = 0; i < 7; i++) place.write(`many/${i}`, '')
    place.write('e/x', '')
    place.write('target.txt', '')
    symlinkSync('target.txt', join(place.root, 'link'))
  })
  assert.deepEqual(found, [
    'UNDECLARED_READ "s" looks whether "d/x" is there',
    'UNDECLARED_READ "s" looks whether "e/x" is there',
    'UNDECLARED_READ "s" looks whether "f/x" is there',
    'UNDECLARED_READ "s" looks whether "none.json" is there',
    'UNDECLARED_READ "s" reads "link" (a link to "target.txt")',
    'UNDECLARED_READ "s" reads 7 files in "many", such as "many/0"',
    'UNDECLARED_READ "s" reads the folder "a"',
    'UNDECLARED_READ "s" reads the folder "b"',
    'UNDECLARED_READ "s" reads the folder "c"',
  ])
})

it('names writes and removals outside of outputs, but not of what is gone in the end', async (t) => {
  const body = `fs.writeFileSync(at('a.txt'), ''); fs.appendFileSync(at('input.txt.log'), '')
await new Promise((end) => fs.createWriteStream(at('b.txt')).end('x', end))
fs.mkdirSync(at('c')); fs.writeFileSync(at('c/x'), ''); fs.readFileSync(at('c/x'))
fs.writeFileSync(at('d.tmp'), ''); fs.renameSync(at('d.tmp'), at('d.txt')); fs.readFileSync(at('d.txt'))
fs.rmSync(at('old.txt'))
const temporary = [fs.mkdtempSync(prefix), await fs.promises.mkdtemp(prefix), await promisify(fs.mkdtemp)(prefix)]
for (const folder of temporary) {
  fs.writeFileSync(folder + '/x', ''); fs.readFileSync(folder + '/x'); fs.rmSync(folder, { recursive: true })
}`
  const imports = `import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
const prefix = tmpdir() + '/audited-'`
  const { found } = await auditBody(t, body, imports, (place) => place.write('old.txt', ''))
  assert.deepEqual(found, [
    'UNDECLARED_WRITE "s" removes "old.txt"',
    'UNDECLARED_WRITE "s" writes "a.txt"',
    'UNDECLARED_WRITE "s" writes "b.txt"',
    'UNDECLARED_WRITE "s" writes "d.txt"',
    'UNDECLARED_WRITE "s" writes "input.txt.log"',
    'UNDECLARED_WRITE "s" writes the folder "c"',
  ])
})

it('names variables, in each form, that are neither declared nor given to every stage', async (t) => {
  const place = makePlace(t)
  const body = `void process.env.ONE; const { TWO } = process.env; void ('THREE' in process.env); void env.FOUR; void other.env.FIVE
void process.env.DECLARED; void process.env.HOME; void process.env.TZ; process.env.OWN = '1'; void process.env.OWN
void JSON.stringify({ ...process.env }); void Object.keys(process.env)
if (process.env.ORT_DISABLE_TELEMETRY !== '1') throw new Error('an engine would report home')`
  place.write(
    's.ts',
    module(place.root, body, `import { env } from 'node:process'\nimport * as other from 'node:process'`),
  )
  place.write('pipeline.yaml', yaml(STAGE.replace('out:', 'env: [DECLARED], out:')))
  place.env.ONE = 'set'
  const { found, code, last } = await audit(place)
  assert.deepEqual(outcomes(last), ['s: ran'])
  const names = ['ONE', 'TWO', 'THREE', 'FOUR', 'FIVE'].toSorted()
  assert.deepEqual(
    found,
    names.map((name) => `UNDECLARED_ENV "s" reads the variable "${name}"`),
  )
  assert.equal(code, 1)
})

it('names programs that a module starts, hosts that it asks, and packages that it loads past its imports', async (t) => {
  const server = createServer((_, answer) => answer.end('x')).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const body = `child.execFileSync('cat', [at('input.txt')]); child.execSync('cat < ' + at('input.txt')); child.spawnSync('sh', ['-c', ':'])
await new Promise((end) => child.spawn('sh', ['-c', ':']).on('exit', end)); await new Promise((end) => child.exec('cat /dev/null', end))
await fetch('http://localhost:${port}/'); await new Promise((end) => http.get('http://127.0.0.1:${port}/', (answer) => answer.resume().on('end', end)))
if (known !== 'data') throw new Error(known)
createRequire(import.meta.url)('unknown')`
  const imports = `import child from 'node:child_process'
import http from 'node:http'
import { createRequire } from 'node:module'
import known from 'known'`
  const { found } = await auditBody(t, body, imports, (place) => {
    for (const name of ['known', 'unknown']) {
      place.write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'main.cjs' }))
      place.write(
        `node_modules/${name}/main.cjs`,
        `module.exports = require('fs').readFileSync(__dirname + '/data', 'utf8')`,
      )
      place.write(`node_modules/${name}/data`, 'data')
    }
  })
  assert.deepEqual(found, [
    `UNDECLARED_HOST "s" asks 127.0.0.1:${port} over the network`,
    `UNDECLARED_HOST "s" asks localhost:${port} over the network`,
    'UNDECLARED_PROGRAM "s" runs "cat"',
    'UNDECLARED_PROGRAM "s" runs "sh"',
    'UNDECLARED_READ "s" loads the package "unknown", whose version is not in its key',
  ])
})

it('a clean stage: exit code 0, the same key and result, run although it is there; others stay as they are', async (t) => {
  const place = makePlace(t)
  place.write('data/a.txt', 'outside by a link')
  mkdirSync(join(place.root, 'folder'))
  symlinkSync('../data/a.txt', join(place.root, 'folder/link'))
  const body = `fs.writeFileSync('scratch', '1'); fs.readFileSync('scratch'); fs.existsSync('none')
fs.readdirSync(inputs.folder); fs.readFileSync(inputs.folder + '/link')
fs.writeFileSync(out.text + '.tmp', '1'); fs.renameSync(out.text + '.tmp', out.text); fs.readFileSync(out.text)`
  place.write('s.ts', module(place.root, body).replace("['text'], out", "['text', 'folder'], out"))
  const stage = STAGE.replace('input.txt', 'input.txt, folder: folder')
  place.write(
    'pipeline.yaml',
    yaml(
      stage,
      stage.replace('s:', 'other:'),
      'after: { run: s.ts, in: { text: s.text, folder: folder }, out: [text] }',
    ),
  )
  const plain = await place.lines()
  const { code, found, last } = await audit(place, 's', 'after')
  assert.deepEqual([code, found], [0, []])
  assert.deepEqual(outcomes(last), ['s: ran', 'after: ran'])
  const keys = ({ stages }: Line) =>
    (stages as { name: string; key: string }[]).map(({ name, key }) => `${name} ${key}`)
  assert.deepEqual(
    keys(last),
    keys(plain.last).filter((line) => !line.startsWith('other')),
  )
  assert.deepEqual(outcomes((await place.lines()).last), ['s: fresh', 'other: fresh', 'after: fresh'])
  const { out, code: worded } = await place.run('run', '--audit', 's')
  assert.equal(worded, 0)
  assert.match(out, /audit: nothing undeclared\n$/)
})

it('an audit says what to do, in a summary too; what differs is told as with --force', async (t) => {
  const place = makePlace(t)
  place.write('secret.txt', 'one')
  place.write('s.ts', module(place.root, '').replace('readFileSync(inputs.text)', `readFileSync(at('secret.txt'))`))
  place.write('pipeline.yaml', yaml(STAGE))
  await place.run('run')
  place.write('secret.txt', 'two')
  const { code, out, errors } = await place.run('run', '--audit')
  assert.equal(code, 1)
  assert.match(errors, /"s" reads "secret\.txt"\. .*declare it in `in:` of the stage\. \[UNDECLARED_READ\]/)
  assert.match(errors, /NOT_DETERMINISTIC/)
  assert.match(out, /audit: not declared: s 1\n$/)
  rmSync(join(place.root, 'secret.txt'))
  const failed = await audit(place)
  assert.deepEqual([failed.code, failed.found], [1, ['UNDECLARED_READ "s" looks whether "secret.txt" is there']])
})

it('without strace a program is not audited, which is said and is no success', async (t) => {
  const place = makePlace(t)
  place.write(
    'pipeline.yaml',
    yaml(`s: { cmd: [sh, -c, 'cat "$1" > "$0"', '\${out.o}', '\${in.i}'], in: { i: input.txt }, out: [o] }`),
  )
  const { code, errors } = await place.run('run', '--audit')
  assert.equal(code, 1)
  assert.match(errors, /"s" was not audited: .*apt-get install strace.* \[NOT_AUDITED\]/)
  assert.ok(existsSync(join(place.root, 'artifacts/s/o')))
})

it('says once what each try of a stage that is run again finds', async (t) => {
  const place = makePlace(t)
  place.write('secret.txt', 'one')
  place.write(
    's.ts',
    module(
      place.root,
      `  log('a try')
  fs.readFileSync(at('secret.txt'))
  if (fs.readdirSync(checkpoint).length < 2) {
    fs.writeFileSync(checkpoint + '/' + fs.readdirSync(checkpoint).length, '')
    throw new Error('not yet')
  }`,
    ).replace('in: inputs, out', 'in: inputs, out, checkpoint, log'),
  )
  place.write('pipeline.yaml', yaml(STAGE.replace('in:', 'retries: { times: 2, backoff: 0 }, in:')))
  const { code, lines } = await place.lines('--audit')
  const count = (kind: string): number => lines.filter((line) => line.code === kind || line.type === kind).length
  assert.deepEqual([code, count('RETRY'), count('stage-log'), count('UNDECLARED_READ')], [1, 2, 3, 1])
  assert.match((await place.run('run', '--audit')).out, /audit: not declared: s 1\n$/)
})
