import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Counts } from '../../bench/faults/outcome.ts'
import { figure } from '../../bench/figures.ts'
import { ALONE, IN_STEP, NOT_ONE, STEP } from '../../bench/readme/engines.ts'
import { faultSection } from '../../bench/readme/faults.ts'
import { markdownTable } from '../../bench/readme/markdown.ts'
import { realPairSection } from '../../bench/readme/real-pair.ts'
import { resultsSection } from '../../bench/readme/results.ts'
import { seedsSection } from '../../bench/readme/seeds.ts'
import { speedSection } from '../../bench/readme/speed.ts'
import { makeMetrics, recorded } from './recorded.ts'

const plain = (text: string): string[] => text.replaceAll('\u00a0', ' ').split('\n')

it('a table keeps a bar within its cell', () => {
  assert.deepEqual(markdownTable(['a', 'b'], [['x|y', '1']]).split('\n'), [
    '| a | b |',
    '| --- | --: |',
    '| x\\|y | 1 |',
  ])
})

describe('results', () => {
  const none = { default: undefined, wikitext: undefined, builtin: undefined }

  it('tell the models in order, the verdict, the experiment and the machine', () => {
    assert.deepEqual(plain(resultsSection({ ...none, default: recorded }, 'missing')), [
      ...['### The embedded default', '', '`npx pipeline run`', ''],
      '| model | parameters | perplexity | acc | acc_norm |',
      '| --- | --: | --: | --: | --: |',
      '| Teacher (GPT-Neo, 4 layers) | 1.23 M | 5.00 | 0.5000 ± 0.0200 | 0.6000 ± 0.0190 |',
      '| Control, no teacher (GPT-2, 2 layers) | 0.22 M | 12.50 | 0.4000 ± 0.0210 | 0.4500 |',
      '| Student, distilled (GPT-2, 2 layers) | 0.22 M | 12.45 | 0.4500 ± 0.0220 | 0.4500 |',
      '',
      'The distilled student against the control: acc +5.0 points (p = 0.020): better; perplexity −0.05: not tested.',
      '',
      'Experiment `0123456789abcdef`, 1 min 23 s on 2 × CPU.',
      ...['', '### Real text: WikiText-2 and HellaSwag', ''],
      ...['`npx pipeline run -p recipes/wikitext2-small.yaml --set data=DATA`', '', 'missing'],
      ...['', '### How the built-in models were made', '', '`npx pipeline run -p recipes/builtin-models.yaml`', ''],
      'missing',
    ])
  })

  it('of WikiText-2 end with what is published of GPT-2', () => {
    const lines = plain(resultsSection({ ...none, wikitext: { ...recorded, seconds: null } }, 'missing'))
    const rows = lines.filter((line) => line.startsWith('|'))
    assert.equal(rows.at(-1), '| GPT-2 124M, published | 124.4 M | – | 0.2859 | 0.2955 |')
    assert.ok(lines.includes('Experiment `0123456789abcdef`, on 2 × CPU.'))
  })
})

it('engines stand side by side, below the other figures of their machine', () => {
  const of = (name: string, what: string, unit: string, ours: number) => ({
    ...figure({ what: `${what}, ${name}`, unit, ours, reach: { min: 0 } }),
    engine: { name, what },
  })
  const figures = [
    ...[of('onnx-cpu', ALONE, 'GFLOP/s', 151.26), of('onnx-cpu', STEP, 'ms', 1244.4)],
    ...[of('onnx-cpu', IN_STEP, 'GFLOP/s', 130), of('tfjs-cpu', ALONE, 'GFLOP/s', 0.751), of('tfjs-cpu', NOT_ONE, 's', 120)], // prettier-ignore
  ]
  assert.deepEqual(speedSection([{ backends: { machine: 'a machine', figures } }]).split('\n'), [
    ...['On a machine:', '', 'Its engines side by side (`backends`):', ''],
    '| engine | a training step of a small GPT | its products, in the step | products alone |',
    '| --- | --: | --: | --: |',
    '| `onnx-cpu` | 1,240 ms | 130 GFLOP/s | 151 GFLOP/s |',
    '| `tfjs-cpu` | more than 120 s | – | 0.751 GFLOP/s |',
  ])
})

describe('what the real pair takes', () => {
  const of = (what: string, ours: number) => ({
    machine: 'a machine',
    figures: [figure({ what, unit: '', ours, reach })],
  })
  const reach = { max: 1 }
  const benches = {
    teacher: of('targets for 4096 tokens, from F32 files to the written file', 100),
    'train-step-gpt2': of('time of a step of 2 × 1024 tokens', 10),
    score: of('200 items', 2),
  }

  it('follows from the benches of a machine', () => {
    assert.deepEqual(realPairSection([{}, benches])?.split('\n'), [
      '| part | operations | hours on a machine |',
      '| --- | --: | --: |',
      "| the teacher's targets, once for all temperatures | 1.3 · 10^16 | 6.6 |",
      '| the student, three epochs | 7.2 · 10^15 | 9.7 |',
      '| the control, three epochs | 5.3 · 10^15 | at most 9.7 |',
      '| HellaSwag by each of the three small models |  | 1.4 |',
    ])
  })

  it('is not known where one of them is missing', () => {
    for (const bench of Object.keys(benches))
      assert.equal(realPairSection([{ ...benches, [bench]: undefined }]), undefined)
  })
})

describe('seeds', () => {
  const experiment = (seed: number, ...of: Parameters<typeof makeMetrics>) => ({
    ...{ seed, hash: `${seed}`.repeat(64), metrics: makeMetrics(...of) },
  })

  it('stand a row each, then their mean', () => {
    const two = [experiment(1, 0.05, 0.02, 'better'), experiment(2, -0.01, 0.7, 'no difference shown')]
    assert.deepEqual(plain(seedsSection({ experiments: two })).slice(2), [
      '| 1 | `1111111111111111` | 12.50 | 12.45 | 0.4000 | 0.4500 | +5.0 points, p = 0.020: better |',
      '| 2 | `2222222222222222` | 12.50 | 12.51 | 0.4000 | 0.3900 | −1.0 points, p = 0.700: no difference shown |',
      '| mean |  | 12.50 | 12.48 | 0.4000 | 0.4200 | +2.0 points |',
      '',
      "Of 2 seeds, the distilled student's acc is above the control's in 1 and below it in 1; its perplexity is lower in 1. By the paired test on acc (exact McNemar, level 0.05) the student is better in 1, worse in 0, and no difference is shown in 1. Mean difference of acc: +2.0 ± 3.0 points (± one standard error over the seeds, which share their items).",
    ])
  })

  it('are told in the same words where the student falls behind', () => {
    const text = plain(seedsSection({ experiments: [experiment(1, -0.08, 0.001, 'worse')] })).at(-1)
    assert.match(text!, /above the control's in 0 and below it in 1; its perplexity is lower in 0\./)
    assert.match(text!, /better in 0, worse in 1, .* in 0\. Mean difference of acc: −8\.0 points\.$/)
  })
})

describe('speed', () => {
  const machine = '2 × CPU'
  const beside = { unit: 'ms', ours: 107_432, peer: 200_000, peerName: 'PyTorch', reach: { max: 0.85 } }
  const benches = {
    step: { machine, figures: [figure({ what: 'time', ...beside })] },
    alone: { machine, figures: [figure({ what: 'start', unit: 's', ours: 0.2012, reach: { max: 0.15 } })] },
    turns: { machine, figures: [figure({ what: 'turns', ...beside, ours: [4, 1, 2, 3], peer: [10, 20, 30] })] },
    open: { machine, figures: [figure({ what: 'size', unit: 'MB', ours: 5, reach: { min: 0 } })] },
    rate: { machine, figures: [figure({ ...beside, what: 'items', unit: 'items/s', reach: { min: 0.5 } })] },
  }

  it('has a row a figure, by the names of the benches, and the machine above', () => {
    assert.deepEqual(plain(speedSection([benches])), [
      ...['On 2 × CPU:', ''],
      '| what | ours | peer | ratio | reach | reached? |',
      '| --- | --: | --: | --: | --: | --: |',
      '| `alone`: start | 0.201 s | – | – | ≤ 0.15 s | no |',
      '| `open`: size | 5 MB | – | – | – | – |',
      '| `rate`: items | 107000 items/s | 200000 items/s (PyTorch) | 0.537 | ratio ≥ 0.5 | yes |',
      '| `step`: time | 107000 ms | 200000 ms (PyTorch) | 0.537 | ratio ≤ 0.85 | yes |',
      '| `turns`: turns | 2.5 ms [1.75–3.25] | 20 ms [15–25] (PyTorch) | 0.125 | ratio ≤ 0.85 | yes |',
    ])
  })

  it('has a table a machine, and nothing where nothing was measured', () => {
    assert.equal(speedSection([benches, benches]).match(/^On /gm)?.length, 2)
    assert.equal(speedSection([]), '')
  })
})

describe('faults', () => {
  const counted = (peerName: string, ours: number, peer: number, counts: [Counts, Counts]) => ({
    ...figure({ what: 'a kill', unit: 'of 9', ours, peer, peerName, reach: { max: 0 } }),
    fault: { tries: 9, ours: counts[0], peer: counts[1] },
  })
  const own = { correct: 8, refused: 1 }
  const figures = [counted('wireit', 0, 3, [own, { correct: 6, lost: 1, wrong: 2 }]), counted('DVC', 0, 9, [own, { stuck: 9 }])] // prettier-ignore
  const benches = { faults: { machine: '2 × CPU', figures } }

  it('have a row an attack, the worst first, and no row among the speeds', () => {
    assert.deepEqual(faultSection([benches, {}]).split('\n').slice(2), [
      '| attack | tries | ours | wireit | DVC |',
      '| --- | --: | --: | --: | --: |',
      '| a kill | 9 | 1 refused, 8 correct | 2 wrong, 1 lost, 6 correct | stuck |',
    ])
    assert.ok(!speedSection([benches]).includes('a kill'))
  })

  it('are judged by our own count where the peer has none', () => {
    const [reach, what] = [{ max: 0 }, { what: 'a kill', unit: 'of 9' }]
    const oks = [0, 3].map((ours) => figure({ ...what, ours, peer: 0, reach }).ok)
    assert.deepEqual(oks, [true, false])
  })
})
