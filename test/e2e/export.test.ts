import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { AutoTokenizer, env, pipeline } from '@xenova/transformers'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import { loadModel } from '../../lib/model/weights.ts'
import type { ExportedFile } from '../../lib/util/export.ts'
import { readGguf } from '../export/gguf-reader.ts'
import { tiny, tinyNeo } from '../model/rig.ts'
import { outcomes, Place } from './command.ts'
import { writeLearner, writeModel } from './learner.ts'

env.allowRemoteModels = false

const common = ['README.md', 'config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json']

describe('pipeline export', () => {
  for (const shape of [tiny(), tinyNeo({ tied: false })]) {
    it(`writes a ${shape.architecture} that is the model, with all that its loaders ask for`, async (t) => {
      const place = new Place(t)
      await writeModel(place, 'm', shape)
      const { code, out } = await place.run('export', 'file:m', '--to', 'out/models/a', '--json')
      assert.equal(code, 0)
      const { folder, format, files } = JSON.parse(out) as { folder: string; format: string; files: ExportedFile[] }
      assert.deepEqual([folder, format], [join(place.root, 'out/models/a'), 'safetensors'])
      assert.deepEqual(
        files.map(({ path }) => path),
        [...common.slice(0, 3), 'model.safetensors', ...common.slice(3)],
      )
      for (const { path, bytes } of files) assert.equal(readFileSync(join(folder, path)).length, bytes)
      const [before, after] = [await loadModel(join(place.root, 'm')), await loadModel(folder)]
      assert.deepEqual(after.config, before.config)
      assert.deepEqual(after.weights, before.weights)
      assert.equal(place.read('out/models/a/tokenizer.json'), place.read('m/tokenizer.json'))
      const special = { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>', unk_token: 'w0' }
      assert.deepEqual(JSON.parse(place.read('out/models/a/tokenizer_config.json')), {
        ...{ tokenizer_class: 'PreTrainedTokenizerFast', ...special, model_max_length: shape.context },
        clean_up_tokenization_spaces: false,
      })
      const ends = { bos_token_id: 12, eos_token_id: 12 }
      assert.deepEqual(JSON.parse(place.read('out/models/a/generation_config.json')), ends)
    })
  }

  it('makes a tokenizer.json of vocab.json and merges.txt, and keeps the files that came', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm', undefined, 339)
    rmSync(join(place.root, 'm/tokenizer.json'))
    const bpe = join(import.meta.dirname, '../fixtures/data/bpe-files')
    for (const name of ['vocab.json', 'merges.txt']) place.write(`m/${name}`, readFileSync(join(bpe, name), 'utf8'))
    place.write('m/generation_config.json', '{"eos_token_id": 0, "temperature": 0.7}')
    assert.equal((await place.run('export', 'file:m', '--to', 'a')).code, 0)
    for (const name of ['vocab.json', 'merges.txt', 'generation_config.json']) {
      assert.equal(place.read(`a/${name}`), place.read(`m/${name}`))
    }
    const ours = await loadTokenizer(bpe)
    const theirs = await AutoTokenizer.from_pretrained(join(place.root, 'a'))
    const text = 'The hen and the other one are here.\n\n<|endoftext|>  A tab:\t!'
    const ids = theirs.encode(text, { add_special_tokens: false })
    assert.deepEqual(ids, ours.encode(text, { special: true }))
    assert.equal(theirs.decode(ids, { skip_special_tokens: false }), text)
    rmSync(join(place.root, 'a/vocab.json'))
    assert.equal((await loadTokenizer(join(place.root, 'a'))).digest, ours.digest)
  })

  it('tells in the card how the student of an experiment was made, and what is not known', async (t) => {
    const place = new Place(t)
    await writeLearner(place)
    const { last } = await place.lines()
    assert.ok(outcomes(last).includes('distill: ran'))
    const hash = last['experiment'] as string
    const { code, out } = await place.run('export', hash.slice(0, 8), '--to', 'a')
    assert.equal(code, 0)
    assert.match(out, /\/a\nREADME\.md +\d+ bytes\n/)
    const card = place.read('a/README.md')
    assert.match(
      card,
      /^---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags: .*\n---\n\n# GPT-2, 2 layers/,
    )
    assert.ok(card.includes(`the distilled student of experiment \`${hash}\``))
    for (const row of [
      '| parameters | 4944 |',
      '| student | a local folder, `student` |',
      '| teacher | a local folder, `teacher` |',
      '| text | a local folder, `corpus` |',
      '| steps | 8 |',
      'The experiment has no scores.',
      '- The license: none is recorded.',
    ]) {
      assert.ok(card.includes(row), `${row} in\n${card}`)
    }
    assert.ok(!card.includes(place.root))
  })

  it('takes over the license that a model came with', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm')
    place.write('m/README.md', '---\nlanguage: en\nlicense: apache-2.0\n---\nlicense: other\n')
    assert.equal((await place.run('export', 'file:m', '--to', 'a')).code, 0)
    assert.match(place.read('a/README.md'), /^---\nlicense: "apache-2\.0"\nlibrary_name/)
    assert.ok(!place.read('a/README.md').includes('The license'))
  })

  it('fills a folder that is empty, and leaves one alone that is not: exit code 2', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm')
    mkdirSync(join(place.root, 'a'))
    assert.equal((await place.run('export', 'file:m', '--to', 'a')).code, 0)
    place.write('b/mine.txt', 'mine')
    place.write('c', 'mine')
    for (const [folder, message] of [
      ['b', /"\S+\/b" is a folder with something in it\. Name a new folder, .* \[FOLDER_TAKEN\]/],
      ['c', /"\S+\/c" is a file\. .* \[FOLDER_TAKEN\]/],
    ] as const) {
      const { code, out, errors } = await place.run('export', 'file:m', '--to', folder)
      assert.match(errors, message)
      assert.deepEqual([code, out], [2, ''])
    }
    assert.deepEqual(readdirSync(place.root).sort(), ['a', 'b', 'c', 'm'])
    assert.deepEqual(readdirSync(join(place.root, 'b')), ['mine.txt'])
  })

  it('writes nothing into the folder of the model, be it named by a link: exit code 2', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm')
    symlinkSync(join(place.root, 'm'), join(place.root, 'link'))
    for (const [model, to] of [
      ['m', 'm/a'],
      ['m', 'link/new/a'],
      ['link', 'm/a'],
    ] as const) {
      const { code, errors } = await place.run('export', `file:${model}`, '--to', to)
      assert.match(
        errors,
        /a" would lie in the folder of the model, "\S+", .* Name a folder elsewhere\. \[FOLDER_INSIDE\]/,
      )
      assert.equal(code, 2)
    }
    assert.deepEqual(readdirSync(join(place.root, 'm')).sort(), ['config.json', 'model.safetensors', 'tokenizer.json'])
    assert.equal((await place.run('export', 'file:m', '--to', 'm-a')).code, 0)
  })

  for (const name of ['builtin:student', 'builtin:teacher']) {
    it(`writes ${name} as ONNX, which transformers.js continues a text with as generate does`, async (t) => {
      const place = new Place(t)
      assert.equal((await place.run('export', name, '--to', 'a', '--format', 'onnx')).code, 0)
      assert.deepEqual(readdirSync(join(place.root, 'a')).sort(), [...common.slice(0, 3), 'onnx', ...common.slice(3)])
      assert.match(place.read('a/README.md'), /library_name: transformers\.js\n/)
      const installed = join(import.meta.dirname, '../../node_modules/@xenova/transformers/package.json')
      const { name: library } = JSON.parse(readFileSync(installed, 'utf8')) as { name: string }
      assert.ok(place.read('a/README.md').includes(`import { pipeline } from '${library}'`))
      const generator = await pipeline('text-generation', join(place.root, 'a'), { dtype: 'fp32' })
      for (const prompt of ['in', 'in Oslo lived Anna . in Rome lived Ben . to Rome came Anna . Anna was in']) {
        const said = await generator(prompt, { max_new_tokens: 30, do_sample: false })
        const { out } = await place.run('generate', name, prompt, '--tokens', '30', '--temperature', '0')
        assert.deepEqual(said, [{ generated_text: out.trimEnd() }])
        assert.ok(new Set(out.slice(prompt.length).split(' ')).size > 5, out)
      }
      const asked = generator.tokenizer('in Oslo lived Anna .') as { input_ids: { tolist(): bigint[][] } }
      const { logits } = (await generator.model(asked)) as { logits: { tolist(): number[][][] } }
      const ids = asked.input_ids.tolist()[0]!
      assert.equal(ids.length, 5)
      const { out } = await place.run('logits', name, '--ids', ids.join(), '--json')
      const expected = (JSON.parse(out) as { logits: number[][] }).logits
      const differences = logits.tolist()[0]!.map((row, t) => row.map((logit, v) => Math.abs(logit - expected[t]![v]!)))
      const worst = Math.max(...differences.flat())
      assert.ok(worst <= 1e-4, `largest difference ${worst}`)
      await generator.dispose()
    })
  }

  it('writes a GPT-2 as GGUF, with its tokenizer beside it', async (t) => {
    const place = new Place(t)
    const model = join(import.meta.dirname, '../fixtures/harness/model')
    assert.equal((await place.run('export', `file:${model}`, '--to', 'a', '--format', 'gguf')).code, 0)
    const files = [...common.slice(0, 3), 'model.gguf', 'special_tokens_map.json', ...common.slice(3)]
    assert.deepEqual(readdirSync(join(place.root, 'a')).sort(), files)
    const { metadata, tensors } = readGguf(readFileSync(join(place.root, 'a/model.gguf')))
    assert.deepEqual(metadata.get('gpt2.context_length'), ['uint32', 128])
    const { weights } = await loadModel(model)
    assert.deepEqual(tensors.get('token_embd.weight')!.data, weights.get('transformer.wte.weight')!.data)
    assert.match(place.read('a/README.md'), /library_name: gguf\n[^]*llama-cli -no-cnv -m model\.gguf/)
  })

  for (const [name, message] of [
    ['builtin:student', /tokenizer is of the type WordLevel.* \[GGUF_TOKENIZER\]/],
    ['builtin:teacher', /There is no GGUF of a GPT-Neo.* \[GGUF_ARCHITECTURE\]/],
  ] as const) {
    it(`writes no GGUF of ${name}, and says why: exit code 2`, async (t) => {
      const place = new Place(t)
      const { code, errors } = await place.run('export', name, '--to', 'a', '--format', 'gguf')
      assert.match(errors, message)
      assert.deepEqual([code, readdirSync(place.root)], [2, []])
    })
  }

  const spoil: Readonly<Record<string, [(place: Place) => void, RegExp]>> = {
    'weights that are cut short': [
      (place) => truncateSync(join(place.root, 'm/model.safetensors'), 1000),
      /\[SAFETENSORS_(TRUNCATED|INVALID)\]/,
    ],
    'no tokenizer': [
      (place) => rmSync(join(place.root, 'm/tokenizer.json')),
      /There is no tokenizer .*\[FILE_MISSING\]/,
    ],
    'a tokenizer of more tokens': [
      (place) => {
        const spec = JSON.parse(place.read('m/tokenizer.json')) as { model: { vocab: Record<string, number> } }
        spec.model.vocab['more'] = 13
        place.write('m/tokenizer.json', JSON.stringify(spec))
      },
      /has 13 tokens and its tokenizer 14.*\[VOCABULARY_DIFFERS\]/,
    ],
  }
  for (const [what, [damage, message]] of Object.entries(spoil)) {
    it(`leaves nothing where the model has ${what}`, async (t) => {
      const place = new Place(t)
      await writeModel(place, 'm')
      damage(place)
      const { code, out, errors } = await place.run('export', 'file:m', '--to', 'a')
      assert.match(errors, message)
      assert.deepEqual([code, out], [2, ''])
      assert.deepEqual(readdirSync(place.root), ['m'])
    })
  }
})
