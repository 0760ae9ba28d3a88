/** The engines that the tests of this folder hold against the reference: those that need npm alone, or those that are named. */
export const tested = process.env['TEST_ENGINES']?.split(',') ?? ['onnx-cpu', 'tfjs-wasm', 'tfjs-cpu']
