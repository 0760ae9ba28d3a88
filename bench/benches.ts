import type { Bench } from './figures.ts'

/** Each loads what it needs when it is asked for. Quick ones first: who stops a run of all has most of them. */
export const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  startup: async () => (await import('./startup.ts')).startup,
  default: async () => (await import('./default.ts')).embeddedDefault,
  generate: async () => (await import('./generate.ts')).generation,
  'train-step': async () => (await import('./train-step.ts')).trainStep,
  loss: async () => (await import('./loss.ts')).loss,
  score: async () => (await import('./score.ts')).score,
  backends: async () => (await import('./backends.ts')).backends,
  noop: async () => (await import('./noop.ts')).noop,
  install: async () => (await import('./install.ts')).install,
  'train-step-gpt2': async () => (await import('./train-step-gpt2.ts')).trainStepGpt2,
  teacher: async () => (await import('./teacher.ts')).teacher,
  faults: async () => (await import('./faults.ts')).faults,
  slurm: async () => (await import('./slurm.ts')).slurm,
  sweep: async () => (await import('./sweep.ts')).sweep,
}
