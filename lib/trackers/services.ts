import type { Logged } from './logged.ts'

/** What an experiment is logged to over their own protocols; beside them there are TensorBoard's files. */
export type Service = 'mlflow' | 'wandb'

/** Where an experiment was logged to: a page's address or a folder. */
export interface Kept {
  readonly where: string
  /** It was logged there before, and is not logged again. */
  readonly already: boolean
}

/** Throws Failure MLFLOW_…, WANDB_…. */
type Log = (logged: Logged, env: NodeJS.ProcessEnv, signal: AbortSignal) => Promise<Kept>

const services: Readonly<Record<Service, Log>> = {
  mlflow: async (...given) => (await import('./mlflow.ts')).logToMlflow(...given),
  wandb: async (...given) => (await import('./wandb.ts')).logToWandb(...given),
}

export const logToService = (service: Service, ...given: Parameters<Log>): Promise<Kept> => services[service](...given)

/** Those whose own variables are set, so that every experiment goes there. */
export function servicesSet(env: NodeJS.ProcessEnv): Service[] {
  const isSet = (name: string): boolean => (env[name] ?? '') !== ''
  const mode = env['WANDB_MODE']
  const set: Readonly<Record<Service, boolean>> = {
    mlflow: isSet('MLFLOW_TRACKING_URI'),
    wandb: mode === 'offline' || (isSet('WANDB_API_KEY') && mode !== 'disabled'),
  }
  return (['mlflow', 'wandb'] as const).filter((service) => set[service])
}
