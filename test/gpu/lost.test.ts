import assert from 'node:assert/strict'
import { it } from 'node:test'
import { openCard } from '../../lib/engine/cuda/open-card.ts'

// a process of its own: after this it cannot use the card again
it('a kernel that writes where nothing lies fails the next call that waits, with the error of CUDA', async () => {
  const card = await openCard()
  const [kernel] = card.compile('extern "C" __global__ void stray(float* out) { out[0] = 1; }', ['stray'])
  card.launch(kernel!, { blocks: [1, 1, 1], threads: 1 }, [4096])
  assert.throws(() => card.synchronize(), {
    code: 'DEVICE_FAILED',
    exitCode: 1,
    message: /^cuStreamSynchronize failed with CUDA_ERROR_ILLEGAL_ADDRESS \(.*nvidia-smi/,
  })
  await assert.rejects(card.settled(), {
    code: 'DEVICE_FAILED',
    message: /^cuStreamQuery failed with CUDA_ERROR_ILLEGAL_ADDRESS \(.*nvidia-smi/,
  })
})
