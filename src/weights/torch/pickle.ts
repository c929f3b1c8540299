import {
  Inert,
  PickleGlobal,
  type PickleOptions,
  type PickleValue,
  UnreadElements,
} from './pickleValue.ts';
import { corrupt, printable, unsupported } from './refusal.ts';

// Estimates of memory use, in bytes. They are charged to the memory budget. An item is an element
// of a list or tuple. The numbers are rounded up from V8's object sizes.
const PER_OPCODE = 16;
const PER_VALUE = 96;
const PER_ITEM = 16;
const PER_MAP = 256;
const PER_MAP_ENTRY = 64;

const MAX_LONG_BYTES = 255;
const MAX_NAME_BYTES = 256;
const HIGHEST_PROTOCOL = 5;

/** Valid opcodes that no state dictionary needs, with their names for messages. */
const REFUSED_OPCODES: ReadonlyMap<number, string> = new Map([
  [0x50, 'PERSID'],
  [0x49, 'INT'],
  [0x4c, 'LONG'],
  [0x46, 'FLOAT'],
  [0x53, 'STRING'],
  [0x56, 'UNICODE'],
  [0x6c, 'LIST'],
  [0x64, 'DICT'],
  [0x6f, 'OBJ'],
  [0x69, 'INST'],
  [0x70, 'PUT'],
  [0x67, 'GET'],
  [0x32, 'DUP'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x91, 'FROZENSET'],
  [0x92, 'NEWOBJ_EX'],
  [0x96, 'BYTEARRAY8'],
  [0x97, 'NEXT_BUFFER'],
  [0x98, 'READONLY_BUFFER'],
]);

/**
 * Reads one pickle of protocol 2 to 5 that starts at byte `start` of `bytes`. Returns its value and
 * its end position. Nothing in the pickle is executed. A Python name that is not in
 * `options.globals` is an error. If the pickle calls a Python function or class, the reader calls
 * the stand-in from `options.globals` instead. `options.budget` limits memory use. Every opcode is
 * charged to it, so it also limits the running time. There is no recursion.
 *
 * Source: the opcode table of CPython's Lib/pickletools.py.
 * @throws CrispenError `MODEL_CORRUPT` for malformed bytes; `MODEL_UNSUPPORTED` for an unsupported
 *   opcode, a name that is not in `options.globals`, or an exhausted budget.
 */
export function readPickle(
  bytes: Uint8Array,
  start: number,
  options: PickleOptions,
): { value: PickleValue; end: number } {
  return new PickleMachine(bytes, start, options).run();
}

class PickleMachine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #options: PickleOptions;
  readonly #stack: PickleValue[] = [];
  /** The stack heights at which the open MARKs were set. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #latin1 = new TextDecoder('latin1', { fatal: false, ignoreBOM: true });
  #at: number;

  constructor(bytes: Uint8Array, start: number, options: PickleOptions) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#options = options;
  }

  run(): { value: PickleValue; end: number } {
    for (;;) {
      this.#charge(PER_OPCODE);
      const at = this.#at;
      const opcode = this.#u8();
      if (opcode === 0x2e /* STOP */) {
        const value = this.#pop();
        if (this.#stack.length > 0) throw corrupt(`its pickle leaves values behind at byte ${at}`);
        return { value, end: this.#at };
      }
      const value = this.#step(opcode, at);
      if (value !== undefined) this.#stack.push(value);
    }
  }

  /** Executes an opcode. Returns the value to push, or undefined if there is none. */
  #step(opcode: number, at: number): PickleValue | undefined {
    switch (opcode) {
      case 0x80: {
        const protocol = this.#u8();
        if (protocol > HIGHEST_PROTOCOL) throw unsupported(`pickle protocol ${protocol}`);
        break;
      }
      case 0x95: // FRAME: a hint for buffered reading
        this.#u64();
        break;
      case 0x28: // MARK
        this.#marks.push(this.#stack.length);
        break;
      case 0x30: // POP
        if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
        else this.#pop();
        break;
      case 0x31: // POP_MARK
        this.#popToMark();
        break;

      case 0x4e: // NONE
        return null;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4b: // BININT1
        return this.#u8();
      case 0x4d: // BININT2
        return this.#view.getUint16(this.#take(2), true);
      case 0x4a: // BININT
        return this.#view.getInt32(this.#take(4), true);
      case 0x8a: // LONG1
        return this.#long(this.#u8());
      case 0x8b: // LONG4
        return this.#long(this.#u32());
      case 0x47: // BINFLOAT, the only big-endian number
        this.#charge(PER_ITEM);
        return this.#view.getFloat64(this.#take(8), false);

      case 0x8c: // SHORT_BINUNICODE
        return this.#text(this.#u8());
      case 0x58: // BINUNICODE
        return this.#text(this.#u32());
      case 0x8d: // BINUNICODE8
        return this.#text(this.#u64());
      case 0x55: // SHORT_BINSTRING, a `str` of Python 2
        return this.#text(this.#u8(), this.#latin1);
      case 0x54: // BINSTRING
        return this.#text(this.#u32(), this.#latin1);
      case 0x43: // SHORT_BINBYTES
        return this.#skipBytes(this.#u8());
      case 0x42: // BINBYTES
        return this.#skipBytes(this.#u32());
      case 0x8e: // BINBYTES8
        return this.#skipBytes(this.#u64());

      case 0x29: // EMPTY_TUPLE
        return this.#tuple([]);
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#tuple(this.#popCount(opcode - 0x84));
      case 0x74: // TUPLE
        return this.#tuple(this.#popToMark());
      case 0x5d: // EMPTY_LIST
      case 0x8f: // EMPTY_SET
        this.#charge(PER_VALUE);
        return [];
      case 0x61: // APPEND
        this.#append([this.#pop()]);
        break;
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        this.#append(this.#popToMark());
        break;
      case 0x7d: // EMPTY_DICT
        this.#charge(PER_MAP);
        return new Map();
      case 0x73: // SETITEM
        this.#setItems(this.#popCount(2));
        break;
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark());
        break;

      case 0x71: // BINPUT
        this.#remember(this.#u8());
        break;
      case 0x72: // LONG_BINPUT
        this.#remember(this.#u32());
        break;
      case 0x94: // MEMOIZE
        this.#remember(this.#memo.size);
        break;
      case 0x68: // BINGET
        return this.#recall(this.#u8());
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#u32());

      case 0x63: // GLOBAL
        return this.#global(this.#line(), this.#line());
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popCount(2);
        if (typeof module !== 'string' || typeof name !== 'string') {
          throw corrupt(`its pickle names a global without text at byte ${at}`);
        }
        return this.#global(module, name);
      }
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        return this.#call(at);
      case 0x62: {
        // BUILD sets an object's attributes, such as an OrderedDict's `_metadata`. They are never
        // needed, so they are dropped.
        const [target] = this.#popCount(2);
        if (!(target instanceof Map || target instanceof Inert)) {
          throw corrupt(`its pickle gives attributes to a plain value at byte ${at}`);
        }
        return target;
      }
      case 0x51: {
        // BINPERSID
        const { persistent } = this.#options;
        if (persistent === undefined) throw corrupt(`it has a storage in its head at byte ${at}`);
        this.#charge(PER_MAP);
        return persistent(this.#pop());
      }
      default: {
        const name = REFUSED_OPCODES.get(opcode);
        if (name !== undefined) throw unsupported(`it has the pickle opcode ${name}`);
        throw corrupt(
          `0x${opcode.toString(16).padStart(2, '0')} at byte ${at} is not a pickle opcode`,
        );
      }
    }
    return undefined;
  }

  #charge(bytes: number): void {
    this.#options.budget.charge(bytes);
  }

  /** Skips the next `count` bytes and returns the position where they start. */
  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) {
      throw corrupt(`its pickle needs ${count} bytes at byte ${at}, but the file ends before that`);
    }
    this.#at += count;
    return at;
  }

  #u8(): number {
    return this.#bytes[this.#take(1)];
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Reads a 64-bit length. Above 2^53 the result is inexact, but no file is that long. */
  #u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  /** Reads a two's complement integer of `count` bytes. */
  #long(count: number): number | bigint {
    if (count > MAX_LONG_BYTES) throw unsupported(`it has an integer of ${count} bytes`);
    this.#charge(PER_VALUE + count);
    const at = this.#take(count);
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[at + i]);
    value = BigInt.asIntN(8 * count, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #text(count: number, decoder = this.#utf8): string {
    const at = this.#take(count);
    this.#charge(PER_VALUE + 2 * count);
    try {
      return decoder.decode(this.#bytes.subarray(at, at + count));
    } catch (cause) {
      throw corrupt(`the text at byte ${at} is not UTF-8`, cause);
    }
  }

  #skipBytes(count: number): Inert {
    this.#take(count);
    this.#charge(PER_VALUE);
    return new Inert('bytes');
  }

  /** Reads one line of a GLOBAL opcode. */
  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    const count = end - this.#at;
    if (end < 0 || count > MAX_NAME_BYTES) {
      throw corrupt(`the name at byte ${this.#at} of its pickle does not end`);
    }
    const line = this.#text(count);
    this.#at++;
    return line;
  }

  #pop(): PickleValue {
    return this.#popCount(1)[0];
  }

  #popCount(count: number): PickleValue[] {
    const floor = this.#marks.at(-1) ?? 0;
    if (this.#stack.length - count < floor) {
      throw corrupt(`its pickle takes a missing value before byte ${this.#at}`);
    }
    return this.#stack.splice(-count);
  }

  #popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw corrupt(`its pickle lacks a MARK before byte ${this.#at}`);
    return this.#stack.splice(mark);
  }

  /** Returns the value on top of the stack without removing it. */
  #top(): PickleValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) {
      throw corrupt(`its pickle needs a missing value before byte ${this.#at}`);
    }
    return this.#stack[this.#stack.length - 1];
  }

  #tuple(items: PickleValue[]): PickleValue {
    this.#charge(PER_VALUE + PER_ITEM * items.length);
    return Object.freeze(items);
  }

  #append(items: readonly PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list) || Object.isFrozen(list)) {
      throw corrupt(`its pickle appends to a value that is not a list before byte ${this.#at}`);
    }
    this.#charge(PER_ITEM * items.length);
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly PickleValue[]): void {
    const map = this.#top();
    if (!(map instanceof Map) || items.length % 2 !== 0) {
      throw corrupt(
        `its pickle sets items of a value that is not a dictionary before byte ${this.#at}`,
      );
    }
    this.#charge(PER_MAP_ENTRY * items.length);
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }

  #remember(index: number): void {
    this.#charge(PER_MAP_ENTRY);
    this.#memo.set(index, this.#top());
  }

  #recall(index: number): PickleValue {
    const value = this.#memo.get(index);
    if (value === undefined)
      throw corrupt(`its pickle recalls value ${index}, which it never stored`);
    return value;
  }

  #global(module: string, name: string): PickleValue {
    const known = this.#options.globals.get(`${module} ${name}`);
    if (known instanceof UnreadElements) {
      throw unsupported(
        `elements of type ${known.what} (${module}.${name})`,
        'The file may be valid. Convert the weights to float16 or float32 in PyTorch and save them again.',
      );
    }
    if (known !== undefined) return known;
    throw unsupported(
      `it needs Python's ${printable(`${module}.${name}`)}, which is not on the list of harmless names`,
      'Nothing in a weight file is ever executed. If the file is meant to be a network, save its ' +
        'state dictionary alone: torch.save(model.state_dict(), path).',
    );
  }

  #call(at: number): PickleValue {
    const [callee, args] = this.#popCount(2);
    if (!(callee instanceof PickleGlobal) || callee.call === null || !Array.isArray(args)) {
      const what = callee instanceof PickleGlobal ? callee.name : 'a value';
      throw corrupt(`its pickle calls ${what}, which cannot be called, at byte ${at}`);
    }
    // The called function can copy the entries of its first argument, so the memory for a copy is
    // also charged to the budget.
    const copied = Array.isArray(args[0]) ? args[0].length : 0;
    this.#charge(PER_MAP + 2 * PER_MAP_ENTRY * copied);
    return callee.call(args);
  }
}
