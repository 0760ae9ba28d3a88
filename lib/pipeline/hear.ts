import { Failure } from '../util/failure.ts'
import type { Event } from './event.ts'
import type { Message } from './host-protocol.ts'
import type { Stage } from './pipeline.ts'

/** What a stage's process has said so far of how it goes. */
export interface Heard {
  done: boolean
  device: string | null
  failure: Failure | undefined
}

export function hear(stage: Stage, heard: Heard, message: Message, emit: (event: Event) => void): void {
  switch (message.type) {
    case 'progress':
      emit({ type: 'stage-progress', stage: stage.id, ...message.progress, memory: message.memory })
      break
    case 'ran-on':
      heard.device = message.device
      emit({ type: 'stage-device', stage: stage.id, device: message.device })
      break
    case 'done':
      heard.done = true
      break
    case 'cancelled':
      break
    case 'failure':
      heard.failure = new Failure(message.code, message.message, {
        exitCode: message.exitCode,
        place: stage.place,
        cause: message.stack,
      })
      break
  }
}
