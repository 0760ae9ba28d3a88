import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { guard, publishFile } from '../../data/publish.ts'
import { elementType, encodeModel } from '../../engine/onnx/proto.ts'
import { Writer } from '../../engine/onnx/writer.ts'
import { saveConfig } from '../../model/weights.ts'
import type { Model } from '../../model/weights.ts'
import { writeDecoder } from './decoder.ts'

/** protobuf holds 2 GiB at most, and a reader needs them twice. */
const MOST_INSIDE = 1.5e9

/** ONNX asks for multiples of it, so that the file can be mapped into memory. */
const PAGE = 4096

/**
 * Writes config.json and onnx/model.onnx, as transformers.js looks for them; weights of more than `mostInside` bytes stand
 * beside the model in onnx/model.onnx_data, and config.json says so. Throws Failure DISK_FULL, WRITE_FAILED.
 */
export function saveOnnx(folder: string, model: Omit<Model, 'digest'>, eos: number, mostInside = MOST_INSIDE): void {
  const file = join(folder, 'onnx', 'model.onnx')
  guard(file, () => mkdirSync(join(folder, 'onnx')))
  const size = [...model.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
  const inside = size <= mostInside
  const w = new Writer()
  if (inside) addInside(w, model.weights)
  else addBeside(w, model.weights, `${file}_data`)
  const bytes = encodeModel(writeDecoder(model.config, w))
  publishFile(file, (append) => append(bytes))
  const config = { use_external_data_format: { 'model.onnx': 1 } }
  saveConfig(folder, model.config, eos, inside ? {} : { 'transformers.js_config': config })
}

function addInside(w: Writer, weights: Model['weights']): void {
  for (const [name, { shape, data }] of weights) {
    w.add({ name, dims: shape, dataType: elementType.float32, rawData: bytesOf(data) })
  }
}

function addBeside(w: Writer, weights: Model['weights'], file: string): void {
  publishFile(file, (append) => {
    let offset = 0
    for (const [name, { shape, data }] of weights) {
      const place = { location: 'model.onnx_data', offset: String(offset), length: String(data.byteLength) }
      const externalData = Object.entries(place).map(([key, value]) => ({ key, value }))
      w.add({ name, dims: shape, dataType: elementType.float32, dataLocation: 1, externalData })
      const padding = (PAGE - (data.byteLength % PAGE)) % PAGE
      append(bytesOf(data))
      append(new Uint8Array(padding))
      offset += data.byteLength + padding
    }
  })
}

const bytesOf = (data: Float32Array | Int32Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
