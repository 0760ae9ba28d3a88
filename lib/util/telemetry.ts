/**
 * ONNX Runtime, from 1.29, sends Microsoft what it runs and leaves an id of the machine in the home folder. It looks at
 * this variable before anything else, so that it has to stand in the environment of every process that loads it.
 */
export const NO_TELEMETRY = { ORT_DISABLE_TELEMETRY: '1' }
