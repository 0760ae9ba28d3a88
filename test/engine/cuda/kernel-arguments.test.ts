import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KernelArguments } from '../../../lib/engine/cuda/kernel-arguments.ts'
import { loadFfi } from '../../../lib/engine/ffi.ts'

describe("a kernel's arguments", () => {
  it('lie as C reads them: a table of places, an address of up to 53 bits at each', async () => {
    const ffi = await loadFfi()
    const kernelArguments = new KernelArguments(ffi)
    for (const pointers of [[0, 16, 2 ** 32 - 16], [2 ** 32, 0x7f12_3456_7890, 2 ** 53 - 16, 7], []]) {
      const table = kernelArguments.write(pointers)
      const places = ffi.decode(table, 'uint64_t', pointers.length) as BigUint64Array | (number | bigint)[]
      const read = Array.from(places, (place) => Number(ffi.decode.uint64(BigInt(place))))
      assert.deepEqual(read, pointers)
    }
    kernelArguments.dispose()
  })

  it('are 512 at most', async () => {
    const kernelArguments = new KernelArguments(await loadFfi())
    kernelArguments.write(Array.from({ length: 512 }, () => 16))
    assert.throws(() => kernelArguments.write(Array.from({ length: 513 }, () => 16)), /513 arguments/)
    kernelArguments.dispose()
  })
})
