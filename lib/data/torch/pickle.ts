import { Machine, Persistent } from './machine.ts'
import type { Known } from './machine.ts'

/**
 * A state dict takes some 35 operations a tensor. An operation makes at most one object, so that the bound is one on
 * memory too.
 */
const mostOperations = 1_000_000

/**
 * Reads a pickle and runs nothing: it makes texts, whole numbers, tuples (arrays), dictionaries (`Map`) and what
 * `globals` make of their arguments; any other name ends it. Its operations are those that a state dict needs, of
 * protocols 2 to 5 (https://github.com/python/cpython/blob/main/Lib/pickletools.py). Values are shared, never copied or
 * walked, so that depth costs nothing. Throws `Failure` PICKLE_UNSAFE, which names what would have run, PICKLE_INVALID.
 */
export function readPickle(bytes: Uint8Array, file: string, globals: ReadonlyMap<string, Known>): unknown {
  const machine = new Machine(bytes, file, globals)
  for (let count = 0; count < mostOperations; count++) {
    const code = machine.input.byte()
    if (code === stop) return machine.pop()
    const operation = operations[code]
    if (!operation) throw machine.invalid(`no state dict needs its operation 0x${code.toString(16).padStart(2, '0')}`)
    operation(machine)
  }
  throw machine.invalid(`it takes more than ${mostOperations} operations`)
}

const stop = 0x2e

const operations: Readonly<Record<number, (machine: Machine) => void>> = {
  /* PROTO            */ 0x80: (m) => void m.input.byte(),
  /* FRAME            */ 0x95: (m) => void m.input.take(8),
  /* MARK             */ 0x28: (m) => m.mark(),
  /* NONE             */ 0x4e: (m) => m.push(null),
  /* NEWTRUE          */ 0x88: (m) => m.push(true),
  /* NEWFALSE         */ 0x89: (m) => m.push(false),
  /* BININT           */ 0x4a: (m) => m.push(m.input.integer(4)),
  /* BININT1          */ 0x4b: (m) => m.push(m.input.byte()),
  /* BININT2          */ 0x4d: (m) => m.push(m.input.count(2)),
  /* LONG1            */ 0x8a: (m) => m.push(m.input.integer(m.input.byte())),
  /* BINUNICODE       */ 0x58: (m) => m.push(m.input.text(m.input.count(4))),
  /* SHORT_BINUNICODE */ 0x8c: (m) => m.push(m.input.text(m.input.byte())),
  /* EMPTY_TUPLE      */ 0x29: (m) => m.push([]),
  /* TUPLE1           */ 0x85: (m) => m.push(m.last(1)),
  /* TUPLE2           */ 0x86: (m) => m.push(m.last(2)),
  /* TUPLE3           */ 0x87: (m) => m.push(m.last(3)),
  /* TUPLE            */ 0x74: (m) => m.push(m.popMark()),
  /* EMPTY_DICT       */ 0x7d: (m) => m.push(new Map()),
  /* SETITEM          */ 0x73: (m) => m.setItems(m.last(2)),
  /* SETITEMS         */ 0x75: (m) => m.setItems(m.popMark()),
  /* BINPUT           */ 0x71: (m) => m.remember(m.input.byte()),
  /* LONG_BINPUT      */ 0x72: (m) => m.remember(m.input.count(4)),
  /* MEMOIZE          */ 0x94: (m) => m.remember(),
  /* BINGET           */ 0x68: (m) => m.recall(m.input.byte()),
  /* LONG_BINGET      */ 0x6a: (m) => m.recall(m.input.count(4)),
  /* GLOBAL           */ 0x63: (m) => m.global(m.input.line(), m.input.line()),
  /* STACK_GLOBAL     */ 0x93: (m) => m.global(...(m.last(2) as [unknown, unknown])),
  /* BINPERSID        */ 0x51: (m) => m.push(new Persistent(m.pop())),
  /* REDUCE           */ 0x52: (m) => m.reduce(),
  /* BUILD            */ 0x62: (m) => m.build(),
  // the other ways to come by an object of a class: named, so that a refusal says what it was
  /* INST             */ 0x69: (m) => {
    m.global(m.input.line(), m.input.line())
    refuse(m, 'INST')
  },
  /* OBJ              */ 0x6f: (m) => refuse(m, 'OBJ'),
  /* NEWOBJ           */ 0x81: (m) => refuse(m, 'NEWOBJ'),
  /* NEWOBJ_EX        */ 0x92: (m) => refuse(m, 'NEWOBJ_EX'),
  /* EXT1             */ 0x82: (m) => refuse(m, 'EXT1'),
  /* EXT2             */ 0x83: (m) => refuse(m, 'EXT2'),
  /* EXT4             */ 0x84: (m) => refuse(m, 'EXT4'),
}

function refuse(machine: Machine, operation: string): never {
  throw machine.unsafe(`makes an object of a class (${operation})`)
}
