import {
  add,
  advance,
  field,
  get,
  int,
  lines,
  locals,
  type MultiplyAdd,
  mul,
  rowFunction,
  set,
} from './text.ts';

/**
 * Generates instructions that compute which source rows or columns are used for the output row or
 * column `$<index>`. `$<low>` and `$<high>` become their indices, and `$<f>` becomes the distance
 * from `$<low>` to the exact source position. The exact source position is
 * `max((index + 0.5) / scale - 0.5, 0)`, which equals
 * `max(2 * index + 1 - scale, 0) / (2 * scale)`.
 */
const axis = (index: string, size: 'xWidth' | 'xHeight', low: string, high: string, f: string) =>
  lines(
    set(
      'source',
      `(i32.sub ${add(mul(get(index), int(2)), int(1))} ${field('bilinear', 'scale')})`,
    ),
    `(if (i32.lt_s ${get('source')} ${int(0)}) (then ${set('source', int(0))}))`,
    set(low, `(i32.div_s ${get('source')} ${get('whole')})`),
    set(
      f,
      `(f32x4.splat (f32.div (f32.convert_i32_s (i32.rem_s ${get('source')} ${get('whole')})) (f32.convert_i32_s ${get('whole')})))`,
    ),
    set(high, `(i32.sub ${field('bilinear', size)} ${int(1)})`),
    `(if (i32.lt_s ${get(low)} ${get(high)}) (then ${set(high, add(get(low), int(1)))}))`,
  );

/** Generates the function `bilinear` (see `RECORDS` in `records.ts`). */
export function bilinearText(madd: MultiplyAdd): string {
  const between = (a: string, b: string, f: string) => madd(`(f32x4.sub ${b} ${a})`, get(f), a);
  const load = (line: string, column: string) =>
    `(v128.load ${add(add(get(line), get(column)), get('c'))})`;
  const line = (index: string) =>
    add(field('bilinear', 'x'), mul(get(index), field('bilinear', 'xRow')));
  const body = lines(
    axis('row', 'xHeight', 'top', 'bottom', 'fy'),
    set('top', line('top')),
    set('bottom', line('bottom')),
    set('y', add(field('bilinear', 'y'), mul(get('row'), field('bilinear', 'yRow')))),
    set('x', int(0)),
    `(loop $pixels
    ${axis('x', 'xWidth', 'left', 'right', 'fx')}
    ${set('left', mul(get('left'), get('bytes')))}
    ${set('right', mul(get('right'), get('bytes')))}
    ${set('c', int(0))}
    (loop $channels
      ${set('upper', load('top', 'left'))}
      ${set('upper', between(get('upper'), load('top', 'right'), 'fx'))}
      ${set('lower', load('bottom', 'left'))}
      ${set('lower', between(get('lower'), load('bottom', 'right'), 'fx'))}
      (v128.store ${add(get('y'), get('c'))} ${between(get('upper'), get('lower'), 'fy')})
      (br_if $channels (i32.lt_s (local.tee $c (i32.add (local.get $c) (i32.const 16))) ${get('bytes')})))
    ${advance('y', get('bytes'))}
    (br_if $pixels (i32.lt_s (local.tee $x (i32.add (local.get $x) (i32.const 1))) ${field('bilinear', 'width')})))`,
  );
  const declared = lines(
    locals('i32', ['top', 'bottom', 'left', 'right', 'x', 'y', 'c', 'bytes', 'source', 'whole']),
    locals('v128', ['fx', 'fy', 'upper', 'lower']),
    set('bytes', field('bilinear', 'channelBytes')),
    set('whole', mul(field('bilinear', 'scale'), int(2))),
  );
  return rowFunction('bilinear', declared, body);
}
