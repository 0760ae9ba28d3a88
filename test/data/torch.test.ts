import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Checkpoint, StoredTensor } from '../../lib/data/checkpoint.ts'
import { readSafetensors } from '../../lib/data/safetensors.ts'
import { readTorch } from '../../lib/data/torch/index.ts'
import { readWeights } from '../../lib/data/weights.ts'
import { Failure } from '../../lib/util/failure.ts'
import {
  dictionary,
  global,
  integer,
  pickle,
  rebuilt,
  storage,
  tensor,
  text,
  tuple,
  writeArchive,
} from './torch-file.ts'
import type { Content, TensorParts } from './torch-file.ts'

const fixtures = join(import.meta.dirname, '../fixtures/torch')
const temporary = mkdtempSync(join(tmpdir(), 'torch-'))
after(() => rmSync(temporary, { recursive: true }))

describe('weights of torch.save', () => {
  for (const protocol of [2, 4, 5]) {
    it(`are read as PyTorch reads them, of every dtype and layout, in protocol ${protocol}`, async () => {
      const expected = readSafetensors(join(fixtures, 'values.safetensors'))
      assert.ok(expected.ok)
      assertSame(await readTorch(join(fixtures, `protocol-${protocol}.bin`)), expected.value)
    })
  }

  it('are those of the model that transformers saved, its tied head too', async () => {
    const found = await readTorch(join(fixtures, 'gpt2', 'pytorch_model.bin'))
    const expected = await readWeights(join(fixtures, 'safetensors'))
    assert.deepEqual(found.names, ['lm_head.weight', ...expected.names])
    for (const name of expected.names) assertEqual(name, found.tensor(name), expected.tensor(name))
    assertEqual('lm_head.weight', found.tensor('lm_head.weight'), expected.tensor('transformer.wte.weight'))
  })

  it('are the same in shards', async () => {
    assertSame(
      await readWeights(join(fixtures, 'shards')),
      await readTorch(join(fixtures, 'gpt2', 'pytorch_model.bin')),
    )
  })

  it('are a copy at each call', async () => {
    const found = await readTorch(join(fixtures, 'protocol-2.bin'))
    found.tensor('scalar').data()[0] = 9
    assert.deepEqual(found.tensor('scalar').data(), Float32Array.of(0.5))
  })

  it('are read beyond 4 GB without what lies before them', async () => {
    const [data, far] = [Buffer.from(Float32Array.of(1.5, -2, 7, 8).buffer), 5_000_000_000]
    const file = archive({
      'data.pkl': pickle(
        dictionary({
          after: tensor({ key: '1', size: 4, shape: [2, 2], strides: [1, 2] }),
          inside: tensor({ size: far, offset: far - 2, shape: [2], strides: [1], type: 'ByteStorage' }),
        }),
      ),
      'data/0': { hole: far },
      'data/1': data,
    })
    const found = await readTorch(file)
    assert.deepEqual(found.tensor('after').data(), Float32Array.of(1.5, 7, -2, 8))
    assert.deepEqual(found.tensor('inside').bytes(), Uint8Array.of(0, 0))
    rmSync(file)
  })

  it('may have any number of axes of length 1, and any lengths beside a length of 0', async () => {
    const [ones, long] = [Array<number>(20_000).fill(1), Array<number>(40).fill(2 ** 50)]
    const body = dictionary({
      ones: tensor({ size: 4, shape: [2, 2, ...ones], strides: [1, 2, ...ones] }),
      none: tensor({ size: 4, shape: [...long, 0], strides: Array<number>(41).fill(0) }),
    })
    const data = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer)
    const found = await readTorch(archive({ 'data.pkl': pickle(body), 'data/0': data }))
    assert.deepEqual(found.tensor('ones').data(), Float32Array.of(1, 3, 2, 4))
    assert.deepEqual(found.tensor('none').data(), new Float32Array(0))
  })

  it('that are cut after they were opened are named', async () => {
    const file = join(temporary, 'shrinking.bin')
    writeFileSync(file, readFileSync(join(fixtures, 'protocol-2.bin')))
    const found = await readTorch(file)
    writeFileSync(file, readFileSync(file).subarray(0, 1000))
    assert.throws(() => found.tensor('rows').data(), { code: 'TORCH_TRUNCATED', message: /tensor "rows" ends at byte/ })
  })
})

describe('a pickle that would run code is refused by the name of what it would run', () => {
  const run = (callee: string): string => `${callee}${tuple(text('touch ran'))}R`
  const stacked = (module: string, name: string): string => `${text(module)}${text(name)}\x93`
  const cases: Readonly<Record<string, [string, RegExp]>> = {
    'os.system': [run(global('os', 'system')), /asks for "os\.system"/],
    'posix.system': [run(global('posix', 'system')), /asks for "posix\.system"/],
    'builtins.eval': [run(global('builtins', 'eval')), /asks for "builtins\.eval"/],
    'a class of its own': [run(global('__main__', 'Evil')), /asks for "__main__\.Evil"/],
    'a name by STACK_GLOBAL': [run(stacked('posix', 'system')), /asks for "posix\.system"/],
    'a part of a name that is known': [
      run(stacked('collections', 'OrderedDict.__init__')),
      /asks for "collections\.OrderedDict\.__init__"/,
    ],
    'a name that an object has': [run(global('', 'toString')), /asks for "\.toString"/],
    'a function of PyTorch': [run(global('torch', 'load')), /asks for "torch\.load"/],
    'a name inside of a tensor': [tuple(text('storage'), global('os', 'system')), /asks for "os\.system"/],
    'a name in an attribute': [`}}${text('a')}${run(global('os', 'system'))}sb`, /asks for "os\.system"/],
    'a long name, of which it says the beginning': [run(global('os', 'x'.repeat(1e6))), /"os\.x{97}…"/],
    'a name with control characters, which it escapes': [run(global('os', '\x1b[2J')), /"os\.\\u001b\[2J"/],
    INST: [`(${text('touch ran')}ios\nsystem\n`, /asks for "os\.system"/],
    'INST of what is known': ['(icollections\nOrderedDict\n', /\(INST\)/],
    OBJ: [`(${global('collections', 'OrderedDict')}o`, /\(OBJ\)/],
    NEWOBJ: [`${global('collections', 'OrderedDict')})\x81`, /\(NEWOBJ\)/],
    NEWOBJ_EX: [`${global('collections', 'OrderedDict')})}\x92`, /\(NEWOBJ_EX\)/],
    EXT1: ['\x82\x01', /\(EXT1\)/],
    EXT2: ['\x83\x01\x00', /\(EXT2\)/],
    EXT4: ['\x84\x01\x00\x00\x00', /\(EXT4\)/],
    'REDUCE of what has no name': [run(text('os.system')), /calls what has no name \(REDUCE\)/],
    'REDUCE of a storage': [run(global('torch', 'FloatStorage')), /calls "torch\.FloatStorage"/],
    'REDUCE of a dictionary with arguments': [
      run(global('collections', 'OrderedDict')),
      /calls "collections\.OrderedDict"/,
    ],
    'BUILD of a name': [`${global('collections', 'OrderedDict')}}b`, /\(BUILD\)/],
    'BUILD of a tensor': [`${tensor({ size: 1, shape: [1], strides: [1] })}}b`, /\(BUILD\)/],
  }
  for (const [what, [body, message]] of Object.entries(cases)) {
    it(what, async () => {
      const file = archive({ 'data.pkl': pickle(body), 'data/0': new Uint8Array(4) })
      await assert.rejects(readTorch(file), { code: 'PICKLE_UNSAFE', message })
    })
  }
})

describe('a pickle that is no state dict is refused', () => {
  const many = 1_000_001
  const cases: Readonly<Record<string, [string, RegExp]>> = {
    'a number': [integer(7), /it is a number/],
    'a list of tensors': [tuple(text('a')), /it is a tuple/],
    'a training run': [
      dictionary({ w: tensor({ size: 1, shape: [], strides: [] }), epoch: integer(3) }),
      /its "epoch" is a number/,
    ],
    'a dictionary in it': [dictionary({ model: '}' }), /its "model" is a dictionary/],
    'names that are numbers': [`}${integer(1)}${integer(1)}s`, /one of its names is a number/],
    'a float': ['G\x00\x00\x00\x00\x00\x00\x00\x00', /operation 0x47/],
    'one that does not stop': ['\x8a\x01', /ends at byte/],
    'nothing at all': ['', /takes a value that it never gave/],
    'a mark that was never set': ['t', /takes a mark/],
    'values from before the mark': ['}}}(\x86', /takes a value/],
    'a value that was never kept': ['h\x05', /recalls value 5/],
    'a tuple that is filled': [')(u', /fills what is no dictionary/],
    'a name without a value': [`}(${text('a')}u`, /fills what is no dictionary/],
    'a name of a tuple': ['))\x93', /a name in it is no text/],
    'a text past the end': ['X\xff\xff\xff\xff', /ends at byte/],
    'a text that is not UTF-8': ['X\x01\x00\x00\x00\xff', /not UTF-8/],
    'a name without its end': ['cos', /ends at byte/],
    'a number of 255 bytes': [`\x8a\xff${'\x7f'.repeat(255)}`, /beyond 2⁵³/],
    'a million values': ['}'.repeat(many), /more than 1000000 operations/],
    'tuples a million deep': [`)${'\x85'.repeat(many - 4)}`, /it is a tuple/],
    // each holds the one before it twice: 2¹⁰⁰⁰⁰ when it is walked
    'tuples that double': [`)q\x00${'h\x00h\x00\x86q\x00'.repeat(10_000)}`, /it is a tuple/],
    'a dictionary in itself': [`}q\x00${text('a')}h\x00s`, /its "a" is a dictionary/],
  }
  for (const [what, [body, message]] of Object.entries(cases)) {
    it(what, async () => {
      const failure = await refusal(archive({ 'data.pkl': pickle(body), 'data/0': new Uint8Array(4) }))
      assert.match(failure.message, message)
      assert.match(failure.message, /state dict/)
    })
  }
})

describe('a tensor that its storage does not hold is refused by name', () => {
  const cases: Readonly<Record<string, [TensorParts, RegExp]>> = {
    'beyond its storage': [{ size: 4, shape: [2, 3], strides: [3, 1] }, /of shape \[2, 3\] .* reaches beyond .* 4 el/],
    'from an offset on': [{ size: 4, shape: [2], strides: [1], offset: 3 }, /reaches beyond/],
    'by its strides': [{ size: 4, shape: [2, 2], strides: [3, 1] }, /reaches beyond/],
    'a storage that is too short': [{ size: 5, shape: [1], strides: [1] }, /20 bytes, data\/0 only 16/],
    'a storage that is not there': [{ size: 4, shape: [1], strides: [1], key: '7' }, /data\/7, which is not there/],
    'a storage outside': [{ size: 4, shape: [1], strides: [1], key: '../../x' }, /which is not there/],
    'a negative stride': [{ size: 4, shape: [2], strides: [-1], offset: 1 }, /whole numbers from 0 on/],
    'a negative shape': [{ size: 4, shape: [-2], strides: [1] }, /whole numbers from 0 on/],
    'a negative offset': [{ size: 4, shape: [1], strides: [1], offset: -1 }, /whole numbers from 0 on/],
    'fewer strides than axes': [{ size: 4, shape: [2, 2], strides: [1] }, /shape and strides/],
    'a shape that overflows': [{ size: 4, shape: [2 ** 40, 2 ** 40], strides: [2 ** 40, 1] }, /reaches beyond/],
    'a shape that overflows without a step': [
      { size: 4, shape: Array(40).fill(2 ** 50), strides: Array(40).fill(0) },
      /repeats/,
    ],
    expanded: [{ size: 1, shape: [1000], strides: [0] }, /repeats its storage/],
    'a type without a size': [{ size: 4, shape: [1], strides: [1], type: 'ComplexFloatStorage' }, /"torch\.ComplexFl/],
  }
  for (const [what, [parts, message]] of Object.entries(cases)) {
    it(what, async () => {
      const file = archive({ 'data.pkl': pickle(dictionary({ 'h.0.w': tensor(parts) })), 'data/0': new Uint8Array(16) })
      const failure = await refusal(file)
      assert.match(failure.message, message)
      if (failure.code !== 'PICKLE_UNSAFE') assert.match(failure.message, /"h\.0\.w"/)
    })
  }

  const scalar = [integer(0), ')', ')', '\x89', '}']
  const given: Readonly<Record<string, [string[], RegExp]>> = {
    'no arguments': [[], /is not a storage/],
    'a number for its storage': [[integer(1), ...scalar], /is not a storage/],
    'something else outside the pickle': [
      [storage('0', 4, 'FloatStorage').replace('storage', 'modules'), ...scalar],
      /is not a storage/,
    ],
    'values that change when they are read': [
      [storage('0', 4, 'FloatStorage'), ...scalar, dictionary({ neg: '\x88' })],
      /values changed/,
    ],
  }
  for (const [what, [args, message]] of Object.entries(given)) {
    it(what, async () => {
      const failure = await refusal(archive({ 'data.pkl': pickle(dictionary({ w: rebuilt(...args) })) }))
      assert.match(failure.message, message)
      assert.match(failure.message, /tensor "w"/)
    })
  }
})

describe('a file that is none of torch.save is refused', () => {
  const whole = readFileSync(join(fixtures, 'protocol-2.bin'))
  const one = dictionary({ w: tensor({ size: 4, shape: [4], strides: [1] }) })
  const good: Record<string, Content> = { 'data.pkl': pickle(one), 'data/0': new Uint8Array(16) }

  it('but not one that the cases are made from', async () => {
    const found = await readTorch(archive({ ...good, byteorder: Buffer.from('little') }))
    assert.deepEqual(found.tensor('w').data(), new Float32Array(4))
  })

  const files: Readonly<Record<string, [() => string, string, RegExp]>> = {
    'the form before PyTorch 1.6': [
      () => join(fixtures, 'legacy.bin'),
      'TORCH_LEGACY',
      /before PyTorch 1\.6.*torch\.save\(/,
    ],
    'a file that is not there': [() => join(temporary, 'nothing.bin'), 'FILE_MISSING', /nothing\.bin/],
    'an empty file': [() => raw(new Uint8Array(0)), 'TORCH_INVALID', /directory/],
    'a text': [() => raw(Buffer.from('version https://git-lfs')), 'TORCH_INVALID', /directory/],
    'compressed members': [() => archive(good, 8), 'TORCH_INVALID', /data\.pkl is compressed/],
    'no pickle': [() => archive({ 'data/0': new Uint8Array(16) }), 'TORCH_INVALID', /no data\.pkl/],
    'a pickle of 20 MB': [() => archive({ 'data.pkl': { hole: 20_000_000 } }), 'TORCH_INVALID', /at most 16777216/],
    'big-endian numbers': [() => archive({ ...good, byteorder: Buffer.from('big') }), 'TORCH_INVALID', /byte order/],
  }
  for (const [what, [make, code, message]] of Object.entries(files)) {
    it(what, async () => {
      await assert.rejects(readTorch(make()), { code, message })
    })
  }

  it('cut short, wherever', async () => {
    for (let size = 0; size < whole.length; size += 61) {
      const failure = await refusal(raw(whole.subarray(0, size)))
      assert.equal(failure.code, 'TORCH_INVALID', `${size} bytes`)
    }
  })

  it('with its directory beyond what a number can hold', async () => {
    const bytes = readFileSync(archive(good))
    for (const [at, what] of [
      [bytes.length - 34, 'the place of the end'],
      [bytes.length - 50, 'the place of the directory'],
      [bytes.lastIndexOf('data/0') + 26, 'the place of a member'],
      [bytes.lastIndexOf('data/0') + 10, 'the size of a member'],
    ] as const) {
      const changed = Buffer.from(bytes)
      changed.writeBigUInt64LE(2n ** 63n, at)
      assert.equal((await refusal(raw(changed))).code, 'TORCH_INVALID', what)
    }
  })

  it('with a comment that goes on past the end', async () => {
    const bytes = readFileSync(archive(good))
    bytes.writeUInt16LE(0xffff, bytes.lastIndexOf('archive/data/0') - 14)
    assert.match((await refusal(raw(bytes))).message, /beyond the end of the file/)
  })

  it('or is read whole, whatever byte of it is another', async () => {
    const bytes = readFileSync(archive(good))
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= [1, 0x80, 0xff][at % 3]!
      const read = await readTorch(raw(changed)).catch((error: unknown) => error)
      if (read instanceof Error) assert.ok(read instanceof Failure, `byte ${at}: ${read.stack}`)
      else for (const name of (read as Checkpoint).names) (read as Checkpoint).tensor(name).data()
    }
  })
})

let files = 0

function archive(members: Readonly<Record<string, Content>>, method = 0): string {
  const file = join(temporary, `${files++}.bin`)
  writeArchive(file, members, method)
  return file
}

function raw(bytes: Uint8Array): string {
  const file = join(temporary, 'raw.bin')
  writeFileSync(file, bytes)
  return file
}

async function refusal(file: string): Promise<Failure> {
  const read = await readTorch(file).catch((error: unknown) => error)
  assert.ok(read instanceof Failure, read instanceof Error ? read.stack : 'it was read')
  return read
}

function assertSame(found: Checkpoint, expected: Checkpoint): void {
  assert.deepEqual(found.names, expected.names)
  for (const name of found.names) assertEqual(name, found.tensor(name), expected.tensor(name))
}

function assertEqual(name: string, found: StoredTensor, expected: StoredTensor): void {
  assert.deepEqual([found.dtype, found.shape], [expected.dtype, expected.shape], name)
  assert.deepEqual(found.bytes(), expected.bytes(), name)
  assert.deepEqual(found.data(), expected.data(), name)
}
