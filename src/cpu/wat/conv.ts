import {
  add,
  advance,
  call,
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
  loopRecords,
  loopWhile,
  type MultiplyAdd,
  pixelAt,
  rowFunction,
  set,
  store,
  sub,
} from './text.ts';

/** The number of output channels that a convolution tile computes. */
type Channels = 4 | 8;

/**
 * The number of pixels in a convolution tile, by the number of its output channels. The sums for
 * all pixels and output channels of a tile are kept in registers. Each iteration of the inner loop
 * processes one input channel. Up to version 12.4 (Node 22), V8 moves all loads to the start of the
 * iteration. For a tile of 4 pixels and 8 channels, the loads, the sums and one product fill the 15
 * vector registers that V8 can use on x64. With more input channels per iteration or more pixels
 * per tile, V8 keeps sums in memory and reaches only half the speed.
 */
export const TILE_PIXELS = { 8: 4, 4: 6 } as const;

const tileName = (pixels: number, channels: Channels): string => `tile${pixels}x${channels}`;

/**
 * Generates code that calls the function for a tile. The code sets `$next` to the address of the
 * next weights.
 */
export const callTile = (
  pixels: number,
  channels: Channels,
  [record, row, x]: readonly [string, string, string],
): string => set('next', call(tileName(pixels, channels), record, row, x, get('w'), get('c')));

const field = fieldsOf('conv');
const segment = fieldsOf('segment', 'segment');

/**
 * Generates a function that computes one tile at the pixel (`$x`, `$row`). The tile's output
 * channels start at byte `$c` of a pixel. `$w` is the address of their weights. The function
 * returns the address of the weights for the next output channels.
 */
function tileText(pixels: number, channels: Channels, madd: MultiplyAdd): string {
  const vectors = channels / 4;
  const sum = (p: number, v: number) => `s${p * vectors + v}`;
  const indexed = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${name}${i}`);
  const channelVector = (of: 'bias' | 'slopes', v: number) =>
    load(add(field(of), get('c')), 16 * v);
  const stores = (value: (p: number, v: number) => string) =>
    each(pixels, (p) =>
      lines(
        each(vectors, (v) => store(get('y'), value(p, v), 16 * v)),
        p < pixels - 1 ? advance('y', field('yPixel')) : '',
      ),
    );
  return `(func $${tileName(pixels, channels)} (param $d i32) (param $row i32) (param $x i32) (param $w i32) (param $c i32) (result i32)
${locals('i32', [...indexed('p', pixels), 'segment', 'count', 'y'])}
${locals('v128', [...indexed('s', pixels * vectors), 'value', ...indexed('w', vectors)])}
${each(vectors, (v) => set(sum(0, v), channelVector('bias', v)))}
${each((pixels - 1) * vectors, (i) => set(`s${i + vectors}`, get(`s${i % vectors}`)))}
${loopRecords(
  'segment',
  [field('segments'), field('segmentsEnd')],
  set('count', segment('pixel')),
  set('p0', pixelAt(segment('base'), get('row'), segment('row'), get('x'), get('count'))),
  each(pixels - 1, (p) => set(`p${p + 1}`, add(get(`p${p}`), get('count')))),
  set('count', segment('count')),
  countDown(
    'count',
    each(vectors, (v) => set(`w${v}`, load(get('w'), 16 * v))),
    each(pixels, (p) =>
      lines(
        set('value', `(v128.load32_splat ${get(`p${p}`)})`),
        each(vectors, (v) => set(sum(p, v), madd(get('value'), get(`w${v}`), get(sum(p, v))))),
      ),
    ),
    advance('w', int(vectors * 16)),
    each(pixels, (p) => advance(`p${p}`, int(4))),
  ),
)}
${set('y', pixelAt(add(field('y'), get('c')), get('row'), field('yRow'), get('x'), field('yPixel')))}
(if ${field('slopes')}
  (then
    ${each(vectors, (v) => set(`w${v}`, channelVector('slopes', v)))}
    ${stores((p, v) => leaky(get(sum(p, v)), get(`w${v}`), madd))})
  (else ${stores((p, v) => get(sum(p, v)))}))
${get('w')})`;
}

/**
 * Generates code that computes the output channels in blocks of 8, followed by a block of 4 if 4
 * channels remain. `$c` must be 0 at the start. `block` generates the code for one block. That code
 * must set `$next` to the address of the next weights.
 */
export function channelBlocks(block: (channels: Channels) => string): string {
  const andNext = (channels: Channels) =>
    lines(block(channels), set('w', get('next')), advance('c', int(channels * 4)));
  return `(block $blocks (loop $next
(br_if $blocks (i32.gt_s ${add(get('c'), int(32))} ${get('bytes')}))
${andNext(8)}
(br $next)))
(if ${less(get('c'), get('bytes'))} (then ${andNext(4)}))`;
}

/**
 * Generates a loop over a row's tiles, from left to right. The last tile is moved left so that it
 * ends at the end of the row. Rows that are too narrow for a tile are computed pixel by pixel.
 */
function rowText(channels: Channels): string {
  const pixels = TILE_PIXELS[channels];
  const callAt = (tilePixels: number) =>
    callTile(tilePixels, channels, [get('d'), get('row'), get('at')]);
  return lines(
    set('x', int(0)),
    loopWhile(
      less(get('x'), get('width')),
      `(if ${less(get('width'), int(pixels))}
      (then ${set('at', get('x'))} ${callAt(1)} ${advance('x', int(1))})
      (else
        ${set('at', sub(get('width'), int(pixels)))}
        (if ${less(get('x'), get('at'))} (then ${set('at', get('x'))}))
        ${callAt(pixels)}
        ${advance('x', int(pixels))}))`,
    ),
  );
}

/**
 * Generates code that calls `pointwise`, unless `record` is 0. The first row is `from`, and the
 * last row is `to - 1`.
 */
export const callEpilogue = (record: string, from: string, to: string): string =>
  `(if ${record} (then ${call('pointwise', record, from, to)}))`;

/**
 * Generates the function `conv`, which computes a convolution row by row. In each row, it computes
 * 8 output channels of all pixels before it starts on the next 8. Three input rows and the weights
 * for 8 channels therefore stay in the L1 cache.
 */
export function convText(madd: MultiplyAdd): string {
  const body = lines(
    set('w', field('weights')),
    set('c', int(0)),
    set('width', field('width')),
    set('bytes', field('channelBytes')),
    channelBlocks(rowText),
    callEpilogue(field('epilogue'), get('row'), add(get('row'), int(1))),
  );
  const declared = locals('i32', ['w', 'c', 'width', 'bytes', 'x', 'at', 'next']);
  return lines(
    tileText(TILE_PIXELS[8], 8, madd),
    tileText(TILE_PIXELS[4], 4, madd),
    tileText(1, 8, madd),
    tileText(1, 4, madd),
    rowFunction('conv', declared, body),
  );
}
