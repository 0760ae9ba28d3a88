/** Best first, as lib/engine has them. The command knows them without it, and refuses others before anything runs. */
export const engineNames = [
  'cuda',
  'tfjs-node-gpu',
  'onnx-webgpu',
  'tfjs-webgpu',
  'onnx-cpu',
  'tfjs-wasm',
  'tfjs-cpu',
] as const
export type EngineName = (typeof engineNames)[number]
