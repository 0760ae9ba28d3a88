import type { DType, Node, RunNode, RunOp } from '../../graph/index.ts'

/** The ops that compute an entry from the entries of their operands at the same place. */
export type PointOp =
  | 'neg'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'rsqrt'
  | 'tanh'
  | 'square'
  | 'abs'
  | 'gelu'
  | 'geluDerivative'
  | 'not'
  | 'pow'
  | 'cast'
  | 'toHalf'
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'maximum'
  | 'minimum'
  | 'equal'
  | 'less'
  | 'lessEqual'
  | 'greater'
  | 'greaterEqual'
  | 'and'
  | 'or'
  | 'where'

interface Operation<N extends RunOp> {
  /** Its price beside that of an addition. */
  readonly price: number
  readonly text: (operands: readonly string[], node: Node<N>) => string
}

const call = (name: string, price: number): { price: number; text: (x: readonly string[]) => string } => ({
  price,
  text: (x) => `${name}(${x.join(', ')})`,
})
const infix = (sign: string, price = 1): { price: number; text: (x: readonly string[]) => string } => ({
  price,
  text: ([a, b]) => `${a!} ${sign} ${b!}`,
})

/** C for each of them; its functions are the precise ones, or the prelude's. */
export const operations = {
  neg: { price: 1, text: ([x]) => `-${x!}` },
  exp: call('exponential', 8),
  log: call('logf', 8),
  sqrt: call('sqrtf', 4),
  rsqrt: call('rsqrtf', 4),
  tanh: call('tanhf', 8),
  square: { price: 1, text: ([x]) => `${x!} * ${x!}` },
  abs: call('fabsf', 1),
  gelu: call('gelu', 10),
  geluDerivative: call('geluDerivative', 12),
  not: { price: 1, text: ([x]) => `!${x!}` },
  pow: { price: 10, text: ([x], { attributes: { exponent } }) => `powf(${x!}, ${literal(exponent, 'float32')})` },
  cast: {
    price: 1,
    text: ([x], { attributes: { dtype } }) => (dtype === 'bool' ? `${x!} != 0` : `(${typeOf(dtype)})${x!}`),
  },
  toHalf: { price: 1, text: ([x]) => x! },
  add: infix('+'),
  sub: infix('-'),
  mul: infix('*'),
  div: infix('/', 4),
  maximum: call('greaterOf', 1),
  minimum: call('lesserOf', 1),
  equal: infix('=='),
  less: infix('<'),
  lessEqual: infix('<='),
  greater: infix('>'),
  greaterEqual: infix('>='),
  and: infix('&&'),
  or: infix('||'),
  where: { price: 1, text: ([condition, a, b]) => `${condition!} ? ${a!} : ${b!}` },
} satisfies { [N in PointOp]: Operation<N> }

export const isPointOp = (node: RunNode): node is Extract<RunNode, { op: PointOp }> => node.op in operations

const types = { float32: 'float', float16: 'float', int32: 'int', bool: 'bool' } as const satisfies Record<
  DType,
  string
>
/** Of a value: float16 is widened where it is read, and made where it is written. */
export const typeOf = (dtype: DType): 'float' | 'int' | 'bool' => types[dtype]

/** A number as C writes it: the very float32 that it is. */
export function literal(value: number, dtype: DType): string {
  if (dtype === 'bool') return value === 0 ? 'false' : 'true'
  if (dtype === 'int32') return value === -(2 ** 31) ? '(-2147483647 - 1)' : signed(String(value))
  const float = Math.fround(value)
  if (Number.isNaN(float)) return 'bitsToFloat(0x7fc00000u)'
  if (!Number.isFinite(float)) return `bitsToFloat(${float > 0 ? '0x7f800000u' : '0xff800000u'})`
  const text = Object.is(float, -0) ? '-0' : String(float)
  return signed(`${/[.e]/.test(text) ? text : `${text}.0`}f`)
}

const signed = (text: string): string => (text.startsWith('-') ? `(${text})` : text)
