import { openEngine } from '../../lib/engine/index.ts'
import { tested } from '../engine/engines.ts'
import { testReference } from './reference-suite.ts'

testReference(() => openEngine({ name: tested[0]!, threads: 1 }))
