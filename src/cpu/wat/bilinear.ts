import {
  add,
  advance,
  fieldsOf,
  get,
  int,
  less,
  lines,
  load,
  locals,
  loopFrom0,
  type MultiplyAdd,
  mul,
  rowAt,
  rowFunction,
  set,
  store,
  sub,
  vsub,
} from './text.ts';

const field = fieldsOf('bilinear');

/**
 * Generates instructions that compute which source rows or columns are used for the output row or
 * column `$<index>`. `$<low>` and `$<high>` become their indices, and `$<f>` becomes the distance
 * from `$<low>` to the exact source position. The exact source position is
 * `max((index + 0.5) / scale - 0.5, 0)`, which equals
 * `max(2 * index + 1 - scale, 0) / (2 * scale)`.
 */
const axis = (index: string, size: 'xWidth' | 'xHeight', low: string, high: string, f: string) =>
  lines(
    set('source', sub(add(mul(get(index), int(2)), int(1)), field('scale'))),
    `(if ${less(get('source'), int(0))} (then ${set('source', int(0))}))`,
    set(low, `(i32.div_s ${get('source')} ${get('whole')})`),
    set(
      f,
      `(f32x4.splat (f32.div (f32.convert_i32_s (i32.rem_s ${get('source')} ${get('whole')})) (f32.convert_i32_s ${get('whole')})))`,
    ),
    set(high, sub(field(size), int(1))),
    `(if ${less(get(low), get(high))} (then ${set(high, add(get(low), int(1)))}))`,
  );

/** Generates the function `bilinear` (see `RECORDS` in `records.ts`). */
export function bilinearText(madd: MultiplyAdd): string {
  const between = (a: string, b: string, f: string) => madd(vsub(b, a), get(f), a);
  const pixel = (line: string, column: string) => load(add(add(get(line), get(column)), get('c')));
  const setLine = (index: string) => set(index, rowAt(field('x'), field('xRow'), get(index)));
  const setMix = (name: string, line: string) =>
    lines(
      set(name, pixel(line, 'left')),
      set(name, between(get(name), pixel(line, 'right'), 'fx')),
    );
  const body = lines(
    axis('row', 'xHeight', 'top', 'bottom', 'fy'),
    setLine('top'),
    setLine('bottom'),
    set('y', rowAt(field('y'), field('yRow'))),
    loopFrom0(
      'x',
      1,
      field('width'),
      axis('x', 'xWidth', 'left', 'right', 'fx'),
      set('left', mul(get('left'), get('bytes'))),
      set('right', mul(get('right'), get('bytes'))),
      loopFrom0(
        'c',
        16,
        get('bytes'),
        setMix('upper', 'top'),
        setMix('lower', 'bottom'),
        store(add(get('y'), get('c')), between(get('upper'), get('lower'), 'fy')),
      ),
      advance('y', get('bytes')),
    ),
  );
  const declared = lines(
    locals('i32', ['top', 'bottom', 'left', 'right', 'x', 'y', 'c', 'bytes', 'source', 'whole']),
    locals('v128', ['fx', 'fy', 'upper', 'lower']),
    set('bytes', field('channelBytes')),
    set('whole', mul(field('scale'), int(2))),
  );
  return rowFunction('bilinear', declared, body);
}
