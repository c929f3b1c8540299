import { POSITIONS, SIDE, TILES } from '../winograd.ts';
import { callEpilogue, callTile, channelBlocks, TILE_PIXELS } from './conv.ts';
import {
  add,
  advance,
  countDown,
  each,
  fieldsOf,
  get,
  int,
  leaky,
  less,
  lines,
  load,
  locals,
  loopFrom0,
  loopRecords,
  type MultiplyAdd,
  mul,
  pixelAt,
  rowFunction,
  set,
  store,
  sub,
  vadd,
  vsub,
} from './text.ts';

const field = fieldsOf('winograd');
const part = fieldsOf('part', 'part');
const sum = (a: string, b: string) => vadd(get(a), get(b));
const difference = (a: string, b: string) => vsub(get(a), get(b));
const twice = (value: string) => mul(value, int(2));
const upperRow = twice(get('row'));

/**
 * Generates code that reads the next column of a window (4x4 input pixels), transforms it, and
 * stores the results in the variables `${column}0` to `${column}3`.
 */
const columnText = (column: string): string =>
  lines(
    each(SIDE, (i) => set(`d${i}`, load(get(`p${i}`)))),
    set(`${column}0`, difference('d0', 'd2')),
    set(`${column}1`, sum('d1', 'd2')),
    set(`${column}2`, difference('d2', 'd1')),
    set(`${column}3`, difference('d1', 'd3')),
    each(SIDE, (i) => advance(`p${i}`, get('pixel'))),
  );

const storeNext = (value: string): string =>
  lines(store(get('q'), value), advance('q', get('plane')));

/**
 * Generates code that transforms the windows of `$n` tiles, starting at tile `$x`, and writes them
 * to the thread's scratch memory. Neighbouring windows share two columns.
 */
const inputText = (): string =>
  lines(
    set('to', add(field('v'), get('own'))),
    loopRecords(
      'part',
      [field('parts'), field('partsEnd')],
      set('pixel', part('pixel')),
      loopFrom0(
        'c',
        16,
        get('pixel'),
        set(
          'p0',
          pixelAt(add(part('x'), get('c')), upperRow, part('row'), twice(get('x')), get('pixel')),
        ),
        each(2, (i) => set(`p${i + 1}`, add(get(`p${i}`), part('row')))),
        set('p3', `(select ${add(get('p2'), part('row'))} ${get('p2')} ${get('both')})`),
        set('at', get('to')),
        set('t', get('n')),
        columnText('a'),
        columnText('b'),
        countDown(
          't',
          columnText('e'),
          columnText('f'),
          set('q', get('at')),
          each(SIDE, (i) =>
            lines(
              storeNext(difference(`a${i}`, `e${i}`)),
              storeNext(sum(`b${i}`, `e${i}`)),
              storeNext(difference(`e${i}`, `b${i}`)),
              storeNext(difference(`b${i}`, `f${i}`)),
              set(`a${i}`, get(`e${i}`)),
              set(`b${i}`, get(`f${i}`)),
            ),
          ),
          advance('at', get('depth')),
        ),
        advance('to', int(16)),
      ),
    ),
  );

/**
 * Generates code that multiplies the transformed windows by the transformed weights. For each
 * of the 16 positions in a window, the code computes a 1x1 convolution in which each window counts
 * as one pixel. It calls functions that `convText` generates, such as `$tile4x8`.
 */
const productsText = (): string =>
  lines(
    set('w', field('weights')),
    loopFrom0(
      'slot',
      TILES,
      int(POSITIONS * TILES),
      set('c', int(0)),
      channelBlocks((channels) => {
        const pixels = TILE_PIXELS[channels];
        const window = add(get('slot'), get('t'));
        const call = callTile(pixels, channels, [field('conv'), '(global.get $thread)', window]);
        return loopFrom0('t', pixels, get('n'), call);
      }),
    ),
  );

/**
 * Generates code that computes the pixels of the tiles, including bias and activation. It skips
 * pixels outside the map.
 */
const outputText = (madd: MultiplyAdd): string => {
  const finished = (value: string) =>
    lines(
      set('value', vadd(value, get('bias'))),
      `(if ${get('sloped')} (then ${set('value', leaky(get('value'), get('slope'), madd))}))`,
    );
  const first = (name: string) => vadd(sum(`${name}0`, `${name}1`), get(`${name}2`));
  const second = (name: string) => vsub(difference(`${name}1`, `${name}2`), get(`${name}3`));
  const channelVector = (of: 'bias' | 'slopes') => load(add(field(of), get('c')));
  const rowOfPixels = (row: string, to: string) =>
    lines(
      finished(first(row)),
      store(get(to), get('value')),
      `(if ${less(add(get('left'), int(1)), get('width'))} (then
        ${finished(second(row))}
        ${store(add(get(to), get('bytes')), get('value'))}))`,
    );
  return loopFrom0(
    'c',
    16,
    get('bytes'),
    set('at', add(add(field('m'), get('own')), get('c'))),
    set(
      'p0',
      pixelAt(add(field('y'), get('c')), upperRow, field('yRow'), twice(get('x')), get('bytes')),
    ),
    set('p1', add(get('p0'), field('yRow'))),
    set('bias', channelVector('bias')),
    `(if ${get('sloped')} (then ${set('slope', channelVector('slopes'))}))`,
    set('left', twice(get('x'))),
    set('t', get('n')),
    countDown(
      't',
      set('q', get('at')),
      each(SIDE, (i) =>
        lines(
          each(SIDE, (j) => set(`d${j}`, load(add(get('q'), mul(get('mPlane'), int(4 * j)))))),
          set(`a${i}`, first('d')),
          set(`b${i}`, second('d')),
          advance('q', get('mPlane')),
        ),
      ),
      rowOfPixels('a', 'p0'),
      `(if ${get('both')} (then ${rowOfPixels('b', 'p1')}))`,
      advance('at', get('bytes')),
      advance('left', int(2)),
      advance('p0', twice(get('bytes'))),
      advance('p1', twice(get('bytes'))),
    ),
  );
};

/**
 * Generates the function `winograd`, which computes a 3x3 convolution with tiles of 2x2 pixels:
 * F(2x2, 3x3) from Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015). `$row`
 * is the index of a row of tiles. `TILES` tiles are computed at a time, so that their transformed
 * windows and products stay in the L2 cache.
 */
export function winogradText(madd: MultiplyAdd): string {
  const body = lines(
    set('both', less(add(upperRow, int(1)), field('height'))),
    loopFrom0(
      'x',
      TILES,
      get('count'),
      set('n', sub(get('count'), get('x'))),
      `(if (i32.gt_s ${get('n')} ${int(TILES)}) (then ${set('n', int(TILES))}))`,
      inputText(),
      productsText(),
      outputText(madd),
    ),
    callEpilogue(field('epilogue'), upperRow, add(add(upperRow, int(1)), get('both'))),
  );
  const declared = lines(
    locals('i32', ['p0', 'p1', 'p2', 'p3', 'x', 'n', 't', 'c', 'w', 'q', 'at', 'to', 'part']),
    locals('i32', ['next', 'slot', 'left', 'pixel', 'both', 'own', 'depth', 'plane', 'mPlane']),
    locals('i32', ['width', 'count', 'bytes', 'sloped']),
    ...[...'abdef'].map((name) => each(SIDE, (i) => locals('v128', [`${name}${i}`]))),
    locals('v128', ['value', 'bias', 'slope']),
    set('own', mul('(global.get $thread)', field('stride'))),
    set('depth', field('depth')),
    set('plane', mul(get('depth'), int(TILES))),
    set('bytes', field('channelBytes')),
    set('mPlane', mul(get('bytes'), int(TILES))),
    set('width', field('width')),
    set('count', `(i32.shr_u ${add(get('width'), int(1))} ${int(1)})`),
    set('sloped', field('slopes')),
  );
  return lines(
    '(global $thread (export "thread") (mut i32) (i32.const 0))',
    rowFunction('winograd', declared, body),
  );
}
