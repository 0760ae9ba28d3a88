import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { residentOfTree } from '../../bench/memory.ts'

const proc = mkdtempSync(join(tmpdir(), 'proc-'))
after(() => rmSync(proc, { recursive: true }))

function write(pid: number, parent: number, kilobytes?: number): void {
  mkdirSync(join(proc, String(pid)))
  const resident = kilobytes === undefined ? '' : `VmHWM:\t999999 kB\nVmRSS:\t   ${kilobytes} kB\n`
  writeFileSync(
    join(proc, String(pid), 'status'),
    `Name:\tnode\nPid:\t${pid}\nPPid:\t${parent}\n${resident}Threads:\t1\n`,
  )
}

describe("a tree's resident memory", () => {
  write(1, 0, 1000)
  write(50, 1, 10)
  write(20, 50, 3) // a child whose number is lower than its parent's
  write(60, 20, 4)
  write(61, 60) // a zombie has none
  write(70, 1, 500) // not of the tree
  mkdirSync(join(proc, '80')) // ended between listing and reading
  mkdirSync(join(proc, 'sys'))

  it('is the sum over a process and all its descendants', () => {
    assert.equal(residentOfTree(50, proc), 17 * 1024)
  })
  it('of a process that has ended is none', () => {
    assert.equal(residentOfTree(80, proc), 0)
    assert.equal(residentOfTree(90, proc), 0)
  })
})
