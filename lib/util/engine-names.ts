/** Best first, as lib/engine has them. The command knows them without it, and refuses others before anything runs. */
export const engineNames = ['cuda', 'onnx-webgpu', 'onnx-cpu', 'tfjs-cpu'] as const
export type EngineName = (typeof engineNames)[number]
