import { execFileSync } from 'node:child_process'
import { cpSync, createReadStream, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/**
 * A server on this machine that has what the hosts of @tensorflow/tfjs-node-gpu have: the library, here as links to the files of
 * `folder`, which is set up, and the binding. The variables by which the package's installer asks it.
 */
export async function serveArchives(t: TestContext, folder: string): Promise<NodeJS.ProcessEnv> {
  const work = mkdtempSync(join(tmpdir(), 'tfjs-archives-'))
  t.after(() => rmSync(work, { recursive: true }))
  const [lib, own] = [join(work, 'lib'), join(folder, 'deps', 'lib')]
  mkdirSync(lib)
  for (const [name, file] of [
    ['libtensorflow.so.2', 'libtensorflow_cc.so.2'],
    ['libtensorflow_cc.so.2', 'libtensorflow_cc.so.2'],
    ['libtensorflow_framework.so.2', 'libtensorflow_framework.so.2'],
  ] as const)
    symlinkSync(join(own, file), join(lib, name))
  cpSync(join(folder, 'lib', 'napi-v8'), join(work, 'napi-v8'), { recursive: true })
  mkdirSync(join(work, 'served', 'napi-v8', '4.22.0'), { recursive: true })
  pack(work, 'lib', 'gpu-linux-x86_64-2.9.1.tar.gz')
  pack(work, 'napi-v8', join('napi-v8', '4.22.0', 'GPU-linux-4.22.0.tar.gz'))
  const server = createServer(({ url }, response) => {
    const file = join(work, 'served', url!)
    if (existsSync(file)) createReadStream(file).pipe(response)
    else response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise((resolve) => server.on('listening', resolve))
  const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return { TFJS_NODE_BASE_URI: host, npm_config_tfjs_binding_binary_host_mirror: host }
}

const pack = (work: string, folder: string, archive: string): unknown =>
  execFileSync('tar', ['-C', work, '-czf', join(work, 'served', archive), folder])
