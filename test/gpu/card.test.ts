import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { openCard } from '../../lib/engine/cuda/open-card.ts'
import { Failure } from '../../lib/util/failure.ts'
import { noise } from '../engine/reference.ts'
import { download, upload } from './numbers.ts'

const card = await openCard()
after(() => card.dispose())

const floats = (count: number, seed = 1): Float32Array => Float32Array.from(noise([count], seed).data)

const KERNELS = `
extern "C" __global__ void scale_by_index(float* out, const float* in) {
  long i = blockIdx.x * (long)blockDim.x + threadIdx.x;
  if (i < 1000) out[i] = in[i] * i;
}
extern "C" __global__ void weigh(float* out, const float* a, const float* b, const float* c, const float* d,
                                 const float* e, const float* f, const float* g) {
  out[0] = a[0] + 10 * b[0] + 100 * c[0] + 1000 * d[0] + 10000 * e[0] + 1e5f * f[0] + 1e6f * g[0];
}
extern "C" __global__ void where(int* out) {
  if (threadIdx.x) return;
  out[blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z)] = blockIdx.x + 10 * blockIdx.y + 100 * blockIdx.z;
}
extern "C" __global__ void turn_round(float* out) {
  extern __shared__ float shared[];
  for (int i = threadIdx.x; i < 16000; i += blockDim.x) shared[i] = out[i];
  __syncthreads();
  for (int i = threadIdx.x; i < 16000; i += blockDim.x) out[i] = shared[15999 - i];
}
extern "C" __global__ void add_one(float* out) { if (blockIdx.x + threadIdx.x == 0) out[0] += 1; }
`

describe(`a card, ${card.name}`, () => {
  it('says what it is', () => {
    assert.match(card.name, /^\S.*, \d+\.\d GiB$/)
  })

  it('gives back what was uploaded, though the array changed at once', () => {
    const values = floats(1000)
    const before = values.slice()
    const address = upload(card, values)
    values.fill(7)
    assert.deepEqual(download(card, address, 1000), before)
  })

  it('takes a part of a buffer, at its place', () => {
    const address = upload(card, floats(1000).subarray(10, 20))
    assert.deepEqual(download(card, address, 10), floats(1000).slice(10, 20))
    const into = new Float32Array(12)
    card.download(address, into.subarray(1, 11))
    assert.deepEqual(into.slice(1, 11), floats(1000).slice(10, 20))
    assert.deepEqual([into[0], into[11]], [0, 0])
  })

  it('takes many small uploads in a row, more than are staged at once', () => {
    const addresses = Array.from({ length: 40 }, (_, i) => upload(card, floats(100_003, i)))
    addresses.forEach((address, i) => assert.deepEqual(download(card, address, 100_003), floats(100_003, i), `${i}`))
    for (const address of addresses) card.free(address)
  })

  it('takes a big upload', () => {
    const values = floats(8_000_001)
    const before = values.slice()
    const address = upload(card, values)
    values.fill(7)
    assert.ok(Buffer.from(download(card, address, values.length).buffer).equals(Buffer.from(before.buffer)))
    card.free(address)
  })

  it('takes an upload of nothing', () => {
    const address = upload(card, floats(4))
    card.upload(address, new Float32Array(0))
    assert.deepEqual(download(card, address, 4), floats(4))
  })

  it('copies and clears, within a tensor, too', () => {
    const from = upload(card, floats(100))
    const to = upload(card, floats(100, 2))
    card.copy(to + 40, from, 80)
    card.clear(to + 200, 100)
    const expected = floats(100, 2)
    expected.set(floats(100).subarray(0, 20), 10)
    expected.fill(0, 50, 75)
    assert.deepEqual(download(card, to, 100), expected)
  })

  it('frees only after what was queued before', () => {
    const from = upload(card, floats(100))
    const to = card.allocate(400)
    card.copy(to, from, 400)
    card.free(from)
    assert.deepEqual(download(card, to, 100), floats(100))
  })

  it('reuses what was freed', () => {
    for (let i = 0; i < 200; i++) card.free(card.allocate(2 ** 30))
  })
})

describe('an inlet', () => {
  it('gives what it was filled with each time, though nothing was done yet when it was filled again', () => {
    const inlet = card.inlet(4096)
    const filled = [1, 2, 3, 4].map((seed) => {
      const [few, many] = [floats(7, seed), floats(900, 10 * seed)]
      const [to, other] = [card.allocate(28), card.allocate(3600)]
      inlet.fill([few.subarray(), many], [0, 256])
      for (const one of [few, many]) one.fill(7)
      inlet.empty([
        { offset: 0, to, bytes: 28 },
        { offset: 256, to: other, bytes: 3600 },
      ])
      return { seed, to, other }
    })
    for (const { seed, to, other } of filled) {
      assert.deepEqual(download(card, to, 7), floats(7, seed), `${seed}`)
      assert.deepEqual(download(card, other, 900), floats(900, 10 * seed), `${seed}`)
    }
    inlet.dispose()
  })

  it('can go before what it was filled with was taken', () => {
    const inlet = card.inlet(400)
    inlet.fill([floats(100)], [0])
    inlet.dispose()
    const address = upload(card, floats(100, 2))
    assert.deepEqual(download(card, address, 100), floats(100, 2))
  })
})

it('is settled when all that was queued is done, and other work goes on until then', async () => {
  const from = upload(card, floats(100))
  const to = card.allocate(400)
  card.copy(to, from, 400)
  const steps: string[] = []
  const settled = card.settled().then(() => steps.push('settled'))
  steps.push('goes on')
  await settled
  assert.deepEqual(steps, ['goes on', 'settled'])
  assert.deepEqual(download(card, to, 100), floats(100))
  await card.settled()
})

describe('kernels', () => {
  it('run over a grid', () => {
    const [kernel] = card.compile(KERNELS, ['scale_by_index'])
    const [from, to] = [upload(card, floats(1000)), card.allocate(4000)]
    card.launch(kernel!, { blocks: [4, 1, 1], threads: 256 }, [to, from])
    const expected = floats(1000).map((value, i) => value * i)
    assert.deepEqual(download(card, to, 1000), expected)
  })

  it('are given their arguments in order', () => {
    const [kernel] = card.compile(KERNELS, ['weigh'])
    const to = card.allocate(4)
    const digits = [1, 2, 3, 4, 5, 6, 7].map((digit) => upload(card, Float32Array.of(digit)))
    card.launch(kernel!, { blocks: [1, 1, 1], threads: 1 }, [to, ...digits])
    assert.deepEqual([...download(card, to, 1)], [7_654_321])
  })

  it('know their block on each axis', () => {
    const [kernel] = card.compile(KERNELS, ['where'])
    const to = card.allocate(4 * 24)
    card.launch(kernel!, { blocks: [2, 3, 4], threads: 32 }, [to])
    const found = new Int32Array(24)
    card.download(to, found)
    const expected = Array.from(
      { length: 24 },
      (_, i) => (i % 2) + 10 * (Math.floor(i / 2) % 3) + 100 * Math.floor(i / 6),
    )
    assert.deepEqual([...found], expected)
  })

  it('have as much shared memory as the grid says, also above 48 KiB', () => {
    const [kernel] = card.compile(KERNELS, ['turn_round'])
    const to = upload(card, floats(16_000))
    card.launch(kernel!, { blocks: [1, 1, 1], threads: 256, shared: 64_000 }, [to])
    assert.deepEqual(download(card, to, 16_000), floats(16_000).reverse())
  })

  it('come in the order of the names', () => {
    const names = ['where', 'add_one', 'weigh']
    assert.deepEqual(
      card.compile(KERNELS, names).map(({ name }) => name),
      names,
    )
  })

  it('that are not in the source are named with the error of CUDA', () => {
    assert.throws(() => card.compile(KERNELS, ['absent']), {
      code: 'DEVICE_FAILED',
      message: /^cuModuleGetFunction failed with CUDA_ERROR_NOT_FOUND \(/,
    })
  })

  it('that do not compile are told with the log and kept with their source', () => {
    const source = 'extern "C" __global__ void broken(float* out) { out[0] = absent; }\n'
    assert.throws(
      () => card.compile(source, ['broken']),
      (error: Error) => {
        assert.match(error.message, /^Internal error: NVRTC \d+\.\d+ refuses a kernel \(.*"absent" is undefined/s)
        const [, sourceFile, logFile] = /Source "(.*)", whole log "(.*)"/.exec(error.message)!
        assert.equal(readFileSync(sourceFile!, 'utf8'), source)
        assert.match(readFileSync(logFile!, 'utf8'), /"absent" is undefined/)
        return true
      },
    )
  })

  it('of another kind of device are refused', () => {
    const grid = { blocks: [1, 1, 1], threads: 1 } as const
    assert.throws(() => card.launch({ name: 'foreign' }, grid, []), /Internal error: "foreign" is no kernel of a card/)
  })

  it('with a grid that no card has are refused, and the card goes on', () => {
    const [kernel] = card.compile(KERNELS, ['add_one'])
    const to = upload(card, Float32Array.of(1))
    assert.throws(() => card.launch(kernel!, { blocks: [1, 1, 1], threads: 4096 }, [to]), {
      code: 'DEVICE_FAILED',
      message: /^cuLaunchKernel failed with CUDA_ERROR_INVALID_VALUE \(/,
    })
    card.launch(kernel!, { blocks: [1, 1, 1], threads: 32 }, [to])
    assert.deepEqual([...download(card, to, 1)], [2])
  })
})

describe('memory', () => {
  it('that the card does not have is refused with what there is and what to lower, and the card goes on', () => {
    assert.throws(
      () => card.allocate(2 ** 45),
      (error) => {
        assert.ok(error instanceof Failure)
        assert.deepEqual([error.code, error.exitCode], ['DEVICE_MEMORY', 1])
        assert.match(
          error.message,
          / has \d+\.\d GiB of its \d+\.\d GiB left, and 32768\.0 GiB more are needed: lower /,
        )
        return true
      },
    )
    assert.deepEqual(download(card, upload(card, floats(5)), 5), floats(5))
  })
})

describe('what is recorded', () => {
  const [addOne] = card.compile(KERNELS, ['add_one'])
  const grid = { blocks: [1, 1, 1], threads: 32 } as const

  it('is not run before it is replayed, and then in order, as often as is asked', () => {
    const [from, to] = [upload(card, Float32Array.of(3)), upload(card, Float32Array.of(100))]
    const replay = card.record(() => {
      card.clear(to, 4)
      card.copy(to, from, 4)
      card.launch(addOne!, grid, [to])
      card.copy(from, to, 4)
    })
    assert.deepEqual([...download(card, to, 1)], [100])
    replay.run()
    assert.deepEqual([...download(card, to, 1)], [4])
    replay.run()
    replay.run()
    assert.deepEqual([...download(card, to, 1)], [6])
    card.upload(from, Float32Array.of(40))
    replay.run()
    assert.deepEqual([...download(card, to, 1)], [41])
    replay.dispose()
  })

  it('may be disposed of while it runs', () => {
    const to = upload(card, Float32Array.of(0))
    const replay = card.record(() => {
      for (let i = 0; i < 1000; i++) card.launch(addOne!, grid, [to])
    })
    for (let i = 0; i < 5; i++) replay.run()
    replay.dispose()
    assert.deepEqual([...download(card, to, 1)], [5000])
  })

  it('cannot be what moves data to or from the host, nor what waits', () => {
    const to = upload(card, Float32Array.of(5))
    const one = new Float32Array(1)
    const forbidden = {
      allocate: () => card.allocate(4),
      upload: () => card.upload(to, one),
      download: () => card.download(to, one),
      synchronize: () => card.synchronize(),
      record: () => card.record(() => undefined),
    }
    for (const [name, call] of Object.entries(forbidden)) {
      const message = `Internal error: "${name}" cannot be recorded`
      assert.throws(() => card.record(call), { message })
    }
    assert.deepEqual([...download(card, to, 1)], [5])
  })

  it('is abandoned where it fails, with its own error', () => {
    const to = upload(card, Float32Array.of(5))
    const failing = (): void => {
      card.launch(addOne!, grid, [to])
      throw new Error('halfway')
    }
    assert.throws(() => card.record(failing), { message: 'halfway' })
    const replay = card.record(() => card.launch(addOne!, grid, [to]))
    replay.run()
    assert.deepEqual([...download(card, to, 1)], [6])
    replay.dispose()
  })
})

describe('a second opening of the card', () => {
  it('stands beside the first, which outlives it', async () => {
    const second = await openCard()
    const address = upload(second, floats(10))
    assert.deepEqual(download(second, address, 10), floats(10))
    const [kernel] = card.compile(KERNELS, ['add_one'])
    second.free(address)
    second.dispose()
    const to = upload(card, Float32Array.of(1))
    card.launch(kernel!, { blocks: [1, 1, 1], threads: 1 }, [to])
    assert.deepEqual([...download(card, to, 1)], [2])
  })
})
