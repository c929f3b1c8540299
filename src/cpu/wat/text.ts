import { type Field, fieldOffset, type RecordName, recordBytes } from '../records.ts';

/** Returns an expression that computes `acc + a * b`. */
export type MultiplyAdd = (a: string, b: string, acc: string) => string;

/** Joins consecutive instructions. */
export const lines = (...parts: readonly string[]): string => parts.join('\n');

/** Calls `make` with each index from 0 to `count - 1` and joins the results. */
export const each = (count: number, make: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => make(i)).join('\n');

export const get = (name: string): string => `(local.get $${name})`;
export const set = (name: string, value: string): string => `(local.set $${name} ${value})`;
const tee = (name: string, value: string): string => `(local.tee $${name} ${value})`;
export const add = (a: string, b: string): string => `(i32.add ${a} ${b})`;
export const sub = (a: string, b: string): string => `(i32.sub ${a} ${b})`;
export const mul = (a: string, b: string): string => `(i32.mul ${a} ${b})`;
export const less = (a: string, b: string): string => `(i32.lt_s ${a} ${b})`;
export const int = (value: number): string => `(i32.const ${value})`;
/** Returns an instruction that increases the variable `$<name>` by `value`. */
export const advance = (name: string, value: string): string => set(name, add(get(name), value));
/** Returns an expression that increases the variable `$<name>` by `step` and yields the result. */
const increased = (name: string, step: number): string => tee(name, add(get(name), int(step)));

/** Four zeros. */
export const ZERO = '(v128.const i32x4 0 0 0 0)';
export const vadd = (a: string, b: string): string => `(f32x4.add ${a} ${b})`;
export const vsub = (a: string, b: string): string => `(f32x4.sub ${a} ${b})`;
export const vmul = (a: string, b: string): string => `(f32x4.mul ${a} ${b})`;
/** Returns an expression that loads four numbers. */
export const load = (address: string, offset = 0): string =>
  `(v128.load offset=${offset} ${address})`;
/** Returns an instruction that stores four numbers. */
export const store = (address: string, value: string, offset = 0): string =>
  `(v128.store offset=${offset} ${address} ${value})`;

export const call = (name: string, ...args: readonly string[]): string =>
  `(call $${name} ${args.join(' ')})`;

/**
 * Returns a function that generates an expression for a field of a record. The record's address is
 * in `$<address>`.
 */
export const fieldsOf =
  <R extends RecordName>(record: R, address = 'd') =>
  (name: Field<R>): string =>
    `(i32.load offset=${fieldOffset(record, name)} ${get(address)})`;

/**
 * Returns an expression for the address of a map's row. `start` is the address of the map, and
 * `rowBytes` is the distance between rows.
 */
export const rowAt = (start: string, rowBytes: string, row = get('row')): string =>
  add(start, mul(row, rowBytes));

/** Returns an expression for the address of the pixel (`x`, `row`) of a map. */
export const pixelAt = (
  start: string,
  row: string,
  rowBytes: string,
  x: string,
  pixelBytes: string,
): string => add(start, add(mul(row, rowBytes), mul(x, pixelBytes)));

export const locals = (type: 'i32' | 'f32' | 'v128', names: readonly string[]): string =>
  names.map((name) => `(local $${name} ${type})`).join(' ');

/** Generates a loop that ends when `condition`, evaluated after each iteration, is 0. */
export const loopWhile = (condition: string, ...body: readonly string[]): string => `(loop
${lines(...body)}
(br_if 0 ${condition}))`;

/**
 * Generates a loop that increases `$<counter>` by `step` after each iteration. The loop ends when
 * `$<counter>` is not less than `end`.
 */
export const loopTo = (
  counter: string,
  step: number,
  end: string,
  ...body: readonly string[]
): string => loopWhile(less(increased(counter, step), end), ...body);

/** Like `loopTo`, but `$<counter>` starts at 0. */
export const loopFrom0 = (...[counter, ...others]: Parameters<typeof loopTo>): string =>
  lines(set(counter, int(0)), loopTo(counter, ...others));

/** Generates a loop over consecutive records. `$<record>` is the address of the current one. */
export const loopRecords = (
  record: RecordName,
  [start, end]: readonly [string, string],
  ...body: readonly string[]
): string =>
  lines(
    set(record, start),
    loopWhile(`(i32.lt_u ${increased(record, recordBytes(record))} ${end})`, ...body),
  );

/** Generates a loop that has `$<counter>` iterations. */
export const countDown = (counter: string, ...body: readonly string[]): string =>
  loopWhile(tee(counter, sub(get(counter), int(1))), ...body);

/**
 * Returns an expression that computes `v >= 0 ? v : slope * v`. NaN stays NaN, because `pmax` and
 * `pmin` return their first operand if it is NaN.
 */
export const leaky = (v: string, slope: string, madd: MultiplyAdd): string =>
  madd(slope, `(f32x4.pmin ${v} ${ZERO})`, `(f32x4.pmax ${v} ${ZERO})`);

/**
 * Generates a function that runs `body` for each row from `$row` to `$end - 1`. The function's
 * parameter `$d` is the address of the record that describes its task.
 */
export const rowFunction = (
  name: string,
  declared: string,
  body: string,
): string => `(func $${name} (export "${name}") (param $d i32) (param $row i32) (param $end i32)
${declared}
(block $done
(br_if $done (i32.ge_s ${get('row')} ${get('end')}))
${loopTo('row', 1, get('end'), body)}))`;
