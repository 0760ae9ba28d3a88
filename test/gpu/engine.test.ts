import { describe } from 'node:test'
import { openCuda } from '../../lib/engine/cuda/engine.ts'
import type { CudaPrecision } from '../../lib/engine/precision.ts'
import { openCard } from '../../lib/engine/cuda/open-card.ts'
import type { Engine } from '../../lib/engine/index.ts'
import { testAttention } from '../engine/cuda/attention-suite.ts'
import { testOddRows } from '../engine/cuda/odd-rows.ts'
import { testEpilogues } from '../engine/cuda/epilogue-suite.ts'
import { bfloat16, testCuda } from '../engine/cuda/suite.ts'
import { testOps } from '../engine/op-suite.ts'
import { testState } from '../engine/state-suite.ts'
import { testReference } from '../model/reference-suite.ts'

const open = async (precision: CudaPrecision): Promise<Engine> => openCuda(await openCard(), { precision })

describe('cuda on a card', () => {
  describe('ops', () => {
    testOps(() => open('fp32'))
  })

  describe('state', () => {
    testState(() => open('fp32'))
    testCuda(() => open('fp32'))
    testOddRows(() => open('fp32'))
  })

  describe('models', () => {
    testReference(() => open('fp32'))
  })

  describe('attention', () => {
    testAttention(() => open('fp32'), 'fp32', 2e-6)
  })

  describe('epilogues of products of bf16', () => {
    testEpilogues(() => open('bf16'), bfloat16.ops.values)
  })

  // of 10 bits a term is wrong by up to 2⁻¹⁰, of 8 by up to 2⁻⁸: what bfloat16 is allowed is enough for both
  for (const precision of ['tf32', 'bf16'] as const) {
    describe(`ops with products of ${precision}`, () => {
      testOps(() => open(precision), bfloat16.ops)
      testOddRows(() => open(precision), bfloat16.ops.values)
    })

    describe(`attention with products of ${precision}`, () => {
      testAttention(() => open(precision), precision, bfloat16.ops.values)
    })

    describe(`models with products of ${precision}`, () => {
      testReference(() => open(precision), bfloat16.models)
    })
  }
})
