import {
  add,
  advance,
  field,
  get,
  int,
  lines,
  locals,
  mul,
  rowFunction,
  rowOf,
  set,
} from './text.ts';

/**
 * Generates the function `sums` (see `RECORDS` in `records.ts`). The function processes four
 * channels at a time. It adds the pixels of a row in f32. The host then adds the sums of the rows
 * in f64.
 */
export function sumsText(): string {
  const body = lines(
    set('c', int(0)),
    `(loop $channels
    ${set('x', add(rowOf('sums', 'x', 'xRow'), get('c')))}
    ${set('sum', '(v128.const f32x4 0 0 0 0)')}
    ${set('count', field('sums', 'width'))}
    (loop $pixels
      ${set('sum', `(f32x4.add ${get('sum')} (v128.load ${get('x')}))`)}
      ${advance('x', get('bytes'))}
      (br_if $pixels (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (v128.store ${add(add(field('sums', 'y'), get('c')), mul(get('row'), get('bytes')))} ${get('sum')})
    (br_if $channels (i32.lt_s (local.tee $c (i32.add (local.get $c) (i32.const 16))) ${get('bytes')})))`,
  );
  const declared = lines(
    locals('i32', ['c', 'x', 'count', 'bytes']),
    locals('v128', ['sum']),
    set('bytes', field('sums', 'channelBytes')),
  );
  return rowFunction('sums', declared, body);
}
