import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32c, eventFile } from '../../lib/trackers/event-file.ts'
import { hparamsSummary } from '../../lib/trackers/event.ts'
import { fieldsOf, readRecords } from './event-reader.ts'
import type { Field, Fields } from './event-reader.ts'

const within = (fields: Fields, ...path: number[]): Field | undefined =>
  path.reduce<Field | undefined>((value, number) => fieldsOf(value as Buffer).get(number)?.[0], asMessage(fields))
const asMessage = (fields: Fields): Buffer => fields.get(5)![0] as Buffer
const texts = (value: Field | undefined): string => (value as Buffer).toString()

describe('crc32c', () => {
  // RFC 3720, appendix B.4, and the check value of CRC-32C
  const cases: [string, Uint8Array, number][] = [
    ['no bytes', new Uint8Array(), 0],
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['32 rising', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['32 falling', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ['123456789', Buffer.from('123456789'), 0xe3069283],
  ]
  for (const [what, bytes, expected] of cases) it(what, () => assert.equal(crc32c(bytes), expected))
})

describe('an event file', () => {
  const value = [
    { tag: 'loss', simpleValue: 0.5 },
    { tag: 'perplexity/ü', simpleValue: 0 },
  ]
  const file = eventFile(1_700_000_000_250, [
    { time: 1_700_000_001_500, step: 0, value },
    { time: 1_700_000_002_000, step: 5_000_000_000, value: value.slice(1) },
  ])

  it('begins with its version, and has time, step, tag and value of each point, zeros among them', () => {
    const [first, ...events] = readRecords(file).map(fieldsOf)
    assert.deepEqual([first!.get(1), texts(first!.get(3)?.[0])], [[1_700_000_000.25], 'brain.Event:2'])
    assert.deepEqual(
      // a step of 0 is what an absent one means
      events.map((event) => [event.get(1)?.[0], event.get(2)?.[0] ?? 0]),
      [
        [1_700_000_001.5, 0],
        [1_700_000_002, 5_000_000_000],
      ],
    )
    const scalars = fieldsOf(asMessage(events[0]!))
      .get(1)!
      .map((one) => fieldsOf(one as Buffer))
    assert.deepEqual(
      scalars.map((one) => [texts(one.get(1)?.[0]), one.get(2)?.[0]]),
      [
        ['loss', 0.5],
        ['perplexity/ü', 0],
      ],
    )
  })

  it('is refused by its reader where a bit is flipped', () => {
    for (const at of [0, 9, 20, file.length - 1]) {
      const damaged = Buffer.from(file)
      damaged[at]! ^= 1
      assert.throws(() => readRecords(damaged))
    }
  })

  it('keeps parameters as what they are', () => {
    const params = [
      ['rate', 0],
      ['name', 'a'],
      ['on', false],
      ['list', [1]],
    ] as const
    const event = eventFile(0, [{ time: 0, step: 0, value: hparamsSummary('group', 2, params) }])
    const [, fields] = readRecords(event).map(fieldsOf)
    assert.equal(texts(within(fields!, 1, 9, 1, 1)), 'hparams')
    const session = fieldsOf(within(fields!, 1, 9, 1, 2, 3) as Buffer)
    assert.deepEqual([texts(session.get(4)?.[0]), session.get(5)?.[0]], ['group', 2])
    const found = session.get(1)!.map((entry) => {
      const [name, kind] = [fieldsOf(entry as Buffer).get(1)?.[0], fieldsOf(entry as Buffer).get(2)?.[0]]
      const [[number, values]] = [...fieldsOf(kind as Buffer)] as [[number, Field[]]]
      return [texts(name), number, number === 3 ? texts(values[0]) : values[0]]
    })
    assert.deepEqual(found, [
      ['rate', 2, 0],
      ['name', 3, 'a'],
      ['on', 4, 0],
      ['list', 3, '[1]'],
    ])
  })
})
