import { openEngine } from '../../lib/engine/index.ts'
import { testReference } from './reference-suite.ts'

testReference(() => openEngine({ name: 'onnx-cpu', threads: 1 }))
