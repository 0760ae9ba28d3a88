import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { gpusIn, quotaIn, thisMachine } from '../../lib/util/machine.ts'

const root = mkdtempSync(join(tmpdir(), 'machine-'))
after(() => rmSync(root, { recursive: true }))
const write = (text: string, ...names: string[]): void => {
  mkdirSync(dirname(join(root, ...names)), { recursive: true })
  writeFileSync(join(root, ...names), `${text}\n`)
}

describe('what this process may use of the machine', () => {
  it('is no more than there is', () => {
    const { cpu, cores, threads, memory } = thisMachine()
    assert.notEqual(cpu, '')
    assert.ok(threads >= 1 && threads <= cores)
    assert.ok(memory.free > 0 && memory.free <= memory.total)
  })

  it('is what taskset leaves it', { skip: process.platform !== 'linux' && 'taskset is of Linux' }, () => {
    const script = `import { thisMachine } from './lib/util/machine.ts'; console.log(JSON.stringify(thisMachine()))`
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script]
    const { threads, cores } = JSON.parse(execFileSync('taskset', ['-c', '0', ...node], { encoding: 'utf8' })) as never
    assert.deepEqual([threads, cores], [1, cpus().length])
  })

  it('is the quota of its container, of either version of cgroups', () => {
    write('150000 100000', 'v2', 'cpu.max')
    write('max 100000', 'free', 'cpu.max')
    write('200000', 'v1', 'cpu', 'cpu.cfs_quota_us')
    write('100000', 'v1', 'cpu', 'cpu.cfs_period_us')
    write('-1', 'none', 'cpu', 'cpu.cfs_quota_us')
    write('100000', 'none', 'cpu', 'cpu.cfs_period_us')
    const found = ['v2', 'free', 'v1', 'none', 'absent'].map((folder) => quotaIn(join(root, folder)))
    assert.deepEqual(found, [1.5, null, 2, null, null])
  })

  it('names the graphics cards on the bus, and neither bridges nor network cards, nor cards of others', () => {
    const devices = { a: '0x060000 0x8086', b: '0x030200 0x10de', c: '0x020000 0x10de', d: '0x030000 0x1a03', e: '0x030000 0x1002' } // prettier-ignore
    for (const [name, ids] of Object.entries(devices)) {
      const [kind, vendor] = ids.split(' ') as [string, string]
      write(kind, 'bus', name, 'class')
      write(vendor, 'bus', name, 'vendor')
    }
    assert.deepEqual(gpusIn(join(root, 'bus')), ['NVIDIA', 'AMD'])
    assert.deepEqual(gpusIn(join(root, 'nothing')), [])
  })
})
