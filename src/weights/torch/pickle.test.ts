import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  concat,
  dict,
  global,
  int,
  OP,
  pickle,
  reduce,
  text,
  u32,
  u64,
} from '../../../test/checkpoints/forge.ts';
import { KNOWN_GLOBALS } from './globals.ts';
import { readPickle } from './pickle.ts';
import { Budget, Inert, PickleGlobal, type PickleValue } from './pickleValue.ts';

const MIB = 2 ** 20;

function read(bytes: Uint8Array, budget = MIB): PickleValue {
  return readPickle(bytes, 0, { globals: KNOWN_GLOBALS, budget: new Budget(budget) }).value;
}
function file(name: string): Uint8Array {
  return readFileSync(new URL(`../../../test/checkpoints/${name}`, import.meta.url));
}
function get(map: PickleValue, name: string): PickleValue | undefined {
  if (!(map instanceof Map)) throw new Error('not a dictionary');
  return map.get(name);
}
const corrupt = expect.objectContaining({ code: 'MODEL_CORRUPT' });
const unsupported = expect.objectContaining({ code: 'MODEL_UNSUPPORTED' });

describe('what CPython writes', () => {
  it.each([2, 3, 4, 5])('reads every kind of plain value, protocol %i', (protocol) => {
    const value = read(file(`values_p${protocol}.pkl`));
    const shared = [0.5, -1e300];
    expect(value).toEqual(
      new Map<string, unknown>([
        ['integers', [1, -2, 300, 70000, -(2 ** 40), 2n ** 70n, -(2n ** 70n)]],
        ['floats', shared],
        ['none', null],
        ['flags', [true, false, []]],
        ['unicode', '\u00e4\u{1f600}'],
        ['one', ['x']],
        [
          'nested',
          new Map<string, unknown>([
            ['__proto__', 1],
            ['inner', new Map()],
          ]),
        ],
        ['long', 'y'.repeat(300)],
        ['shared', shared],
      ]),
    );
    expect(get(value, 'shared')).toBe(get(value, 'floats'));
  });

  it.each([2, 4])('keeps what training scripts save by name only, protocol %i', (protocol) => {
    const value = read(file(`training_p${protocol}.pkl`));
    for (const name of ['best', 'random', 'args', 'raw']) {
      expect(get(value, name)).toBeInstanceOf(Inert);
    }
    expect(get(value, 'epoch')).toBe(7);
    expect(get(value, 'seen')).toEqual([1, 2]);
    expect(get(value, 'milestones')).toEqual(new Map([[100, 1]]));
  });

  it('says where a pickle ends, and starts in the middle of a file', () => {
    const bytes = concat('xx', pickle(int(5)), 'rest');
    const options = { globals: KNOWN_GLOBALS, budget: new Budget(MIB) };
    expect(readPickle(bytes, 2, options)).toEqual({ value: 5, end: 10 });
  });

  it('reads what Python 2 wrote: byte strings and OrderedDict of pairs', () => {
    const pair = concat(']', 'U', [1], 'k', 'a', 'T', u32(2), [0xe9, 0x21], 'a');
    const value = read(
      pickle(reduce(global('collections', 'OrderedDict'), concat(']', pair, 'a'))),
    );
    expect(value).toEqual(new Map([['k', '\u00e9!']]));
  });
});

describe('what is refused', () => {
  const hostile: readonly (readonly [string, Uint8Array, string])[] = [
    ['os.system', pickle(reduce(global('os', 'system'), text('id'))), 'os.system'],
    [
      'posix.system by protocol 4',
      concat([0x80, 4], [0x8c, 5], 'posix', [0x8c, 6], 'system', [0x93], '.'),
      'posix.system',
    ],
    ['builtins.eval', pickle(reduce(global('builtins', 'eval'), text('1'))), 'builtins.eval'],
    [
      'a whole network',
      pickle(concat(global('torch.nn.modules.container', 'Sequential'), ')', [0x81])),
      'Sequential',
    ],
    [
      'a name across attributes',
      pickle(global('collections', 'OrderedDict.__init__')),
      'OrderedDict.__init__',
    ],
    [
      'a storage of complex numbers',
      pickle(global('torch', 'ComplexFloatStorage')),
      'torch.ComplexFloatStorage',
    ],
    ['INST', pickle(concat('(', 'ios\nsystem\n')), 'INST'],
    ['an extension', concat([0x80, 2, 0x82, 1]), 'EXT1'],
    ['a later protocol', concat([0x80, 6], 'N.'), 'protocol 6'],
  ];
  it.each(hostile)('refuses %s by name', (_, bytes, name) => {
    expect(() => read(bytes)).toThrow(unsupported);
    expect(() => read(bytes)).toThrow(name);
  });

  it.each([
    ['torch', 'ComplexDoubleStorage', 'complex'],
    ['torch', 'QInt8Storage', 'quantised'],
    ['torch._utils', '_rebuild_qtensor', 'quantised'],
    ['torch._utils', '_rebuild_tensor_v3', 'float8'],
    ['torch.storage', 'UntypedStorage', 'uint16'],
  ])('says of %s.%s that its elements are not read, and what to do', (module, name, elements) => {
    const attempt = () => read(pickle(reduce(global(module, name), text('x'))));
    expect(attempt).toThrow(
      expect.objectContaining({
        code: 'MODEL_UNSUPPORTED',
        message: expect.stringContaining(elements),
        hint: expect.stringMatching(/float16 or float32/),
      }),
    );
  });

  it('lets their element types be mentioned beside the weights', () => {
    const value = read(pickle(dict({ dtype: global('torch', 'float8_e4m3fn') })));
    expect(get(value, 'dtype')).toBeInstanceOf(PickleGlobal);
  });

  it('shows a hostile name without its control characters and cut', () => {
    const bytes = pickle(global(`\x1b[31m${'a'.repeat(200)}`, 'b'));
    expect(() => read(bytes)).toThrow(/\?\[31ma{75}\.\.\.,/);
  });

  const malformed: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', concat()],
    ['no STOP', concat([0x80, 2], 'N')],
    ['an unknown opcode', concat([0x80, 2], [0xff])],
    ['STOP on an empty stack', concat([0x80, 2], '.')],
    ['values left over', concat([0x80, 2], 'NN.')],
    ['a text longer than the file', concat('X', u32(0xffffffff), 'abc.')],
    ['a text of 2^63 bytes', concat([0x8d], u64(2n ** 63n), 'abc.')],
    ['a text that is not UTF-8', concat('X', u32(2), [0xc3, 0x28], '.')],
    ['a name without end', concat('c', 'a'.repeat(300))],
    ['a value recalled that was never kept', concat('h', [3], '.')],
    ['a MARK that is not there', concat('t.')],
    ['a pop through a MARK', concat('N(', 'R.')],
    ['an item set on a list', concat(']', 'NN', 's.')],
    ['an odd number of items', concat('}', '(N', 'u.')],
    ['an append to a tuple', concat(')', 'N', 'a.')],
    ['a call of a number', concat('K', [1], ')', 'R.')],
    ['a call of a mere name', concat(global('torch', 'float32'), ')', 'R.')],
    ['attributes on a number', concat('K', [1], '}', 'b.')],
    ['a storage where none can be', concat('NQ.')],
    [
      'a tensor of no storage',
      pickle(reduce(global('torch._utils', '_rebuild_tensor_v2'), int(1))),
    ],
    ['an OrderedDict of numbers', pickle(reduce(global('collections', 'OrderedDict'), int(1)))],
  ];
  it.each(malformed)('calls %s corrupt', (_, bytes) => {
    expect(() => read(bytes)).toThrow(corrupt);
  });
});

describe('bounds', () => {
  it('holds dictionaries for prototypes\u2019 names without touching them', () => {
    const value = read(
      pickle(dict({ __proto__: int(1), constructor: dict({ prototype: int(2) }) })),
    );
    expect(get(get(value, 'constructor')!, 'prototype')).toBe(2);
    expect(({} as Record<string, unknown>).prototype).toBeUndefined();
  });

  it('reads a value that contains itself', () => {
    const value = read(concat('}', 'q', [0], text('me'), 'h', [0], 's.')) as Map<string, unknown>;
    expect(value.get('me')).toBe(value);
  });

  const bombs: readonly (readonly [string, number | Uint8Array])[] = [
    ['dictionaries', 0x7d],
    ['lists', 0x5d],
    ['MARKs', 0x28],
    ['numbers', 0x4e],
    ['tuples of the tuple before', 0x85],
  ];
  it.each(bombs)('stops at a flood of %s before memory does', (_, opcode) => {
    const bytes = new Uint8Array(8 * MIB).fill(opcode as number);
    bytes[0] = 0x4e;
    const before = process.memoryUsage();
    expect(() => read(bytes, 24 * MIB)).toThrow(unsupported);
    const after = process.memoryUsage();
    expect(after.heapUsed - before.heapUsed).toBeLessThan(56 * MIB);
  });

  it('stops at calls that copy one long list again and again', () => {
    const list = concat(']q', [0], '(', ...Array.from({ length: 10_000 }, () => ')'), 'e');
    const again = reduce(global('collections', 'OrderedDict'), concat('h', [0]));
    const calls = Array.from({ length: 10_000 }, () => again);
    const start = performance.now();
    expect(() => read(concat(list, '0', ...calls), 24 * MIB)).toThrow(corrupt);
    expect(() =>
      read(
        concat(
          ']q',
          [0],
          '(',
          ...Array.from({ length: 10_000 }, () => concat('NN', OP.tuple2)),
          'e0',
          ...calls,
        ),
        24 * MIB,
      ),
    ).toThrow(unsupported);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
