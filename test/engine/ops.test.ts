import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import { rules } from '../../lib/graph/rules.ts'
import { cases } from './cases.ts'
import { tested } from './engines.ts'
import { testOps } from './op-suite.ts'
import type { KernelOp } from '../../lib/graph/graph.ts'

/** They have suites of their own. */
const putInByEngines = {
  toHalf: true,
  attention: true,
  attentionLogSum: true,
  attentionGradient: true,
} satisfies Record<KernelOp, true>

describe('ops', () => {
  it('has a test for each op of the language', () => {
    const plain = Object.keys(rules).filter((op) => !(op in putInByEngines))
    assert.deepEqual(Object.keys(cases).sort(), plain.sort())
    for (const [op, list] of Object.entries(cases)) assert.ok(list.length > 0, `no case for "${op}"`)
  })

  for (const name of tested) {
    describe(name, () => {
      testOps(() => openEngine({ name, threads: 2 }))
    })
  }
})
