import { POSITIONS, TILE_SLOTS, TILES } from '../winograd.ts';
import {
  add,
  advance,
  each,
  field,
  get,
  int,
  leaky,
  lines,
  locals,
  type MultiplyAdd,
  mul,
  rowFunction,
  set,
} from './text.ts';

const SIDE = 4;
const indices = [0, 1, 2, 3] as const;
const sum = (a: string, b: string) => `(f32x4.add ${get(a)} ${get(b)})`;
const difference = (a: string, b: string) => `(f32x4.sub ${get(a)} ${get(b)})`;
const twice = (value: string) => mul(value, int(2));

/**
 * Generates code that reads the next column of a window (4x4 input pixels), transforms it, and
 * stores the results in the variables `${column}0` to `${column}3`.
 */
const columnText = (column: string): string =>
  lines(
    each(SIDE, (i) => set(`d${i}`, `(v128.load ${get(`p${i}`)})`)),
    set(`${column}0`, difference('d0', 'd2')),
    set(`${column}1`, sum('d1', 'd2')),
    set(`${column}2`, difference('d2', 'd1')),
    set(`${column}3`, difference('d1', 'd3')),
    each(SIDE, (i) => advance(`p${i}`, get('pixel'))),
  );

const storeNext = (value: string): string =>
  lines(`(v128.store ${get('q')} ${value})`, advance('q', get('plane')));

/**
 * Generates code that transforms the windows of `$n` tiles, starting at tile `$x`, and writes them
 * to the thread's scratch memory. Neighbouring windows share two columns.
 */
const inputText = (): string => {
  const part = (name: 'x' | 'row' | 'pixel') => field('part', name).replace('$d', '$part');
  return lines(
    set('to', add(field('winograd', 'v'), get('own'))),
    set('part', field('winograd', 'parts')),
    `(loop $parts
    ${set('pixel', part('pixel'))}
    ${set('c', int(0))}
    (loop $channels
      ${set('p0', add(add(part('x'), get('c')), add(mul(twice(get('row')), part('row')), mul(twice(get('x')), get('pixel')))))}
      ${each(2, (i) => set(`p${i + 1}`, add(get(`p${i}`), part('row'))))}
      ${set('p3', `(select ${add(get('p2'), part('row'))} ${get('p2')} ${get('both')})`)}
      ${set('at', get('to'))}
      ${set('t', get('n'))}
      ${columnText('a')}
      ${columnText('b')}
      (loop $windows
        ${columnText('e')}
        ${columnText('f')}
        ${set('q', get('at'))}
        ${each(SIDE, (i) =>
          lines(
            storeNext(difference(`a${i}`, `e${i}`)),
            storeNext(sum(`b${i}`, `e${i}`)),
            storeNext(difference(`e${i}`, `b${i}`)),
            storeNext(difference(`b${i}`, `f${i}`)),
            set(`a${i}`, get(`e${i}`)),
            set(`b${i}`, get(`f${i}`)),
          ),
        )}
        ${advance('at', get('depth'))}
        (br_if $windows (local.tee $t (i32.sub (local.get $t) (i32.const 1)))))
      ${advance('to', int(16))}
      (br_if $channels (i32.lt_s (local.tee $c (i32.add (local.get $c) (i32.const 16))) ${get('pixel')})))
    (br_if $parts (i32.lt_u (local.tee $part ${add(get('part'), int(12))}) ${field('winograd', 'partsEnd')})))`,
  );
};

/**
 * Generates code that multiplies the transformed windows by the transformed weights. For each
 * of the 16 positions in a window, the code computes a 1x1 convolution in which each window counts
 * as one pixel. It calls functions that `convText` generates, such as `$tile4x8`.
 */
const productsText = (): string => {
  const block = (channels: 4 | 8, pixels: 4 | 6) =>
    lines(
      set('t', int(0)),
      `(loop $products${channels}
      ${set('next', `(call $tile${pixels}x${channels} ${field('winograd', 'conv')} (global.get $thread) ${add(get('slot'), get('t'))} ${get('w')} ${get('c')})`)}
      (br_if $products${channels} (i32.lt_s (local.tee $t ${add(get('t'), int(pixels))}) ${get('n')})))`,
      set('w', get('next')),
      advance('c', int(channels * 4)),
    );
  return lines(
    set('w', field('winograd', 'weights')),
    set('slot', int(0)),
    `(loop $positions
    ${set('c', int(0))}
    (block $blocks (loop $next
      (br_if $blocks (i32.gt_s ${add(get('c'), int(32))} ${get('bytes')}))
      ${block(8, 4)}
      (br $next)))
    (if (i32.lt_s ${get('c')} ${get('bytes')}) (then ${block(4, 6)}))
    (br_if $positions (i32.lt_s (local.tee $slot ${add(get('slot'), int(TILE_SLOTS))}) ${int(POSITIONS * TILE_SLOTS)})))`,
  );
};

/**
 * Generates code that computes the pixels of the tiles, including bias and activation. It skips
 * pixels outside the map.
 */
const outputText = (madd: MultiplyAdd): string => {
  const finished = (value: string) =>
    lines(
      set('value', `(f32x4.add ${value} ${get('bias')})`),
      `(if ${get('sloped')} (then ${set('value', leaky(get('value'), get('slope'), madd))}))`,
    );
  const triple = (row: string, sign: 'add' | 'sub', from: number) =>
    `(f32x4.${sign} (f32x4.${sign} ${get(`${row}${from}`)} ${get(`${row}${from + 1}`)}) ${get(`${row}${from + 2}`)})`;
  const channelVector = (of: 'bias' | 'slopes') =>
    `(v128.load ${add(field('winograd', of), get('c'))})`;
  const rowOfPixels = (row: string, to: string) =>
    lines(
      finished(triple(row, 'add', 0)),
      `(v128.store ${get(to)} ${get('value')})`,
      `(if (i32.lt_s ${add(get('left'), int(1))} ${get('width')}) (then
        ${finished(triple(row, 'sub', 1))}
        (v128.store ${add(get(to), get('bytes'))} ${get('value')})))`,
    );
  return lines(
    set('c', int(0)),
    `(loop $outputs
    ${set('at', add(add(field('winograd', 'm'), get('own')), get('c')))}
    ${set('p0', add(add(field('winograd', 'y'), get('c')), add(mul(twice(get('row')), field('winograd', 'yRow')), mul(twice(get('x')), get('bytes')))))}
    ${set('p1', add(get('p0'), field('winograd', 'yRow')))}
    ${set('bias', channelVector('bias'))}
    (if ${get('sloped')} (then ${set('slope', channelVector('slopes'))}))
    ${set('left', twice(get('x')))}
    ${set('t', get('n'))}
    (loop $tiles
      ${set('q', get('at'))}
      ${each(SIDE, (i) =>
        lines(
          ...indices.map((j) =>
            lines(set(`d${j}`, `(v128.load ${add(get('q'), mul(get('mPlane'), int(4 * j)))})`)),
          ),
          set(`a${i}`, `(f32x4.add (f32x4.add ${get('d0')} ${get('d1')}) ${get('d2')})`),
          set(`b${i}`, `(f32x4.sub (f32x4.sub ${get('d1')} ${get('d2')}) ${get('d3')})`),
          advance('q', get('mPlane')),
        ),
      )}
      ${rowOfPixels('a', 'p0')}
      (if ${get('both')} (then ${rowOfPixels('b', 'p1')}))
      ${advance('at', get('bytes'))}
      ${advance('left', int(2))}
      ${advance('p0', twice(get('bytes')))}
      ${advance('p1', twice(get('bytes')))}
      (br_if $tiles (local.tee $t (i32.sub (local.get $t) (i32.const 1)))))
    (br_if $outputs (i32.lt_s (local.tee $c (i32.add (local.get $c) (i32.const 16))) ${get('bytes')})))`,
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
    set('both', `(i32.lt_s ${add(twice(get('row')), int(1))} ${field('winograd', 'height')})`),
    set('x', int(0)),
    `(loop $chunks
    ${set('n', `(i32.sub ${get('count')} ${get('x')})`)}
    (if (i32.gt_s ${get('n')} ${int(TILES)}) (then ${set('n', int(TILES))}))
    ${inputText()}
    ${productsText()}
    ${outputText(madd)}
    (br_if $chunks (i32.lt_s (local.tee $x ${add(get('x'), int(TILES))}) ${get('count')})))`,
    `(if ${field('winograd', 'epilogue')} (then (call $pointwise ${field('winograd', 'epilogue')}
      ${twice(get('row'))} ${add(add(twice(get('row')), int(1)), get('both'))})))`,
  );
  const declared = lines(
    locals('i32', [
      ...indices.map((i) => `p${i}`),
      'x',
      'n',
      't',
      'c',
      'w',
      'q',
      'at',
      'to',
      'part',
    ]),
    locals('i32', ['next', 'slot', 'left', 'pixel', 'both', 'own', 'depth', 'plane', 'mPlane']),
    locals('i32', ['width', 'count', 'bytes', 'sloped']),
    locals(
      'v128',
      [...'abdef'].flatMap((name) => indices.map((i) => `${name}${i}`)),
    ),
    locals('v128', ['value', 'bias', 'slope']),
    set('own', mul('(global.get $thread)', field('winograd', 'stride'))),
    set('depth', field('winograd', 'depth')),
    set('plane', mul(get('depth'), int(TILE_SLOTS))),
    set('bytes', field('winograd', 'channelBytes')),
    set('mPlane', mul(get('bytes'), int(TILE_SLOTS))),
    set('width', field('winograd', 'width')),
    set('count', `(i32.shr_u ${add(get('width'), int(1))} ${int(1)})`),
    set('sloped', field('winograd', 'slopes')),
  );
  return lines(
    '(global $thread (export "thread") (mut i32) (i32.const 0))',
    rowFunction('winograd', declared, body),
  );
}
