import { type Field, fieldOffset, type RecordName } from '../records.ts';

/** Returns an expression that computes `acc + a * b`. */
export type MultiplyAdd = (a: string, b: string, acc: string) => string;

/** Joins consecutive instructions. */
export const lines = (...parts: readonly string[]): string => parts.join('\n');

/** Calls `make` with each index from 0 to `count - 1` and joins the results. */
export const each = (count: number, make: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => make(i)).join('\n');

/** Returns an expression that loads a field of the record whose address is in `$d`. */
export const field = <R extends RecordName>(record: R, name: Field<R>): string =>
  `(i32.load offset=${fieldOffset(record, name)} (local.get $d))`;

export const get = (name: string): string => `(local.get $${name})`;
export const set = (name: string, value: string): string => `(local.set $${name} ${value})`;
export const add = (a: string, b: string): string => `(i32.add ${a} ${b})`;
export const mul = (a: string, b: string): string => `(i32.mul ${a} ${b})`;
export const int = (value: number): string => `(i32.const ${value})`;
/** Returns an instruction that increases the variable `$<name>` by `value`. */
export const advance = (name: string, value: string): string => set(name, add(get(name), value));
/**
 * Returns an expression for the address of row `$row` of a map. `base` names the record's field
 * that contains the map's address, and `row` names the field that contains the distance between
 * rows.
 */
export const rowOf = <R extends RecordName>(record: R, base: Field<R>, row: Field<R>): string =>
  add(field(record, base), mul(get('row'), field(record, row)));

export const locals = (type: 'i32' | 'f32' | 'v128', names: readonly string[]): string =>
  names.map((name) => `(local $${name} ${type})`).join(' ');

/**
 * Returns an expression that computes `v >= 0 ? v : slope * v`. NaN stays NaN, because `pmax` and
 * `pmin` return their first operand if it is NaN.
 */
export const leaky = (v: string, slope: string, madd: MultiplyAdd) => {
  const zero = '(v128.const f32x4 0 0 0 0)';
  return madd(slope, `(f32x4.pmin ${v} ${zero})`, `(f32x4.pmax ${v} ${zero})`);
};

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
(br_if $done (i32.ge_s (local.get $row) (local.get $end)))
(loop $rows
${body}
(br_if $rows (i32.lt_s (local.tee $row (i32.add (local.get $row) (i32.const 1))) (local.get $end))))))`;
