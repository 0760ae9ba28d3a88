import protobuf from 'protobufjs/light.js'
import type { Json } from '../util/json.ts'

/**
 * The parts written here of TensorFlow's event.proto and summary.proto, of plugin_data.proto of TensorBoard's HParams
 * plugin, and of protobuf's own struct.proto; field numbers are theirs.
 */
const schema = {
  nested: {
    Event: {
      oneofs: { what: { oneof: ['fileVersion', 'summary'] } },
      fields: {
        wallTime: { type: 'double', id: 1 },
        step: { type: 'int64', id: 2 },
        fileVersion: { type: 'string', id: 3 },
        summary: { type: 'Summary', id: 5 },
      },
    },
    Summary: { fields: { value: { rule: 'repeated', type: 'SummaryValue', id: 1 } } },
    SummaryValue: {
      oneofs: { value: { oneof: ['simpleValue'] } },
      fields: {
        tag: { type: 'string', id: 1 },
        simpleValue: { type: 'float', id: 2 },
        metadata: { type: 'SummaryMetadata', id: 9 },
      },
    },
    SummaryMetadata: { fields: { pluginData: { type: 'PluginData', id: 1 } } },
    PluginData: { fields: { pluginName: { type: 'string', id: 1 }, content: { type: 'bytes', id: 2 } } },
    HParamsPluginData: { fields: { sessionStartInfo: { type: 'SessionStartInfo', id: 3 } } },
    SessionStartInfo: {
      fields: {
        hparams: { keyType: 'string', type: 'Value', id: 1 },
        groupName: { type: 'string', id: 4 },
        startTimeSecs: { type: 'double', id: 5 },
      },
    },
    Value: {
      oneofs: { kind: { oneof: ['numberValue', 'stringValue', 'boolValue'] } },
      fields: {
        numberValue: { type: 'double', id: 2 },
        stringValue: { type: 'string', id: 3 },
        boolValue: { type: 'bool', id: 4 },
      },
    },
  },
}

export interface Summary {
  readonly value: readonly {
    readonly tag: string
    readonly simpleValue?: number
    readonly metadata?: { readonly pluginData: { readonly pluginName: string; readonly content: Uint8Array } }
  }[]
}
export type Event = { readonly wallTime: number } & (
  { readonly fileVersion: string } | { readonly step: number; readonly summary: Summary }
)

const root = protobuf.Root.fromJSON(schema)
const event = root.lookupType('Event')
const hparams = root.lookupType('HParamsPluginData')

/** `wallTime` in seconds since 1970. */
export const encodeEvent = (value: Event): Uint8Array => event.encode(value).finish()

/** What TensorBoard's HParams page reads the parameters of a run from. */
export function hparamsSummary(
  groupName: string,
  startTimeSecs: number,
  params: readonly (readonly [string, Json])[],
): Summary['value'] {
  const values = Object.fromEntries(params.map(([name, value]) => [name, encodeValue(value)]))
  const content = hparams.encode({ sessionStartInfo: { hparams: values, groupName, startTimeSecs } }).finish()
  return [{ tag: '_hparams_/session_start_info', metadata: { pluginData: { pluginName: 'hparams', content } } }]
}

function encodeValue(value: Json): object {
  if (typeof value === 'number') return { numberValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return { stringValue: typeof value === 'string' ? value : JSON.stringify(value) }
}
