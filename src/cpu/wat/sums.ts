import {
  add,
  advance,
  countDown,
  fieldsOf,
  get,
  lines,
  load,
  locals,
  loopFrom0,
  mul,
  rowAt,
  rowFunction,
  set,
  store,
  vadd,
  ZERO,
} from './text.ts';

/**
 * Generates the function `sums` (see `RECORDS` in `records.ts`). The function processes four
 * channels at a time. It adds the pixels of a row in f32. The host then adds the sums of the rows
 * in f64.
 */
export function sumsText(): string {
  const field = fieldsOf('sums');
  const body = loopFrom0(
    'c',
    16,
    get('bytes'),
    set('x', add(rowAt(field('x'), field('xRow')), get('c'))),
    set('sum', ZERO),
    set('count', field('width')),
    countDown('count', set('sum', vadd(get('sum'), load(get('x')))), advance('x', get('bytes'))),
    store(add(add(field('y'), get('c')), mul(get('row'), get('bytes'))), get('sum')),
  );
  const declared = lines(
    locals('i32', ['c', 'x', 'count', 'bytes']),
    locals('v128', ['sum']),
    set('bytes', field('channelBytes')),
  );
  return rowFunction('sums', declared, body);
}
