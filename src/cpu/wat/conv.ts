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

/**
 * The size of a convolution tile. The sums for all its pixels and output channels are kept in
 * registers.
 */
export interface ConvTile {
  readonly pixels: number;
  readonly channels: 4 | 8;
}

/**
 * The tile sizes for eight and for four output channels. Single-pixel tiles are used for maps that
 * are too narrow for the larger tiles. Each iteration of the inner loop processes one input
 * channel. Up to version 12.4 (Node 22), V8 moves all loads to the start of the iteration. For a
 * tile of 4 pixels and 8 channels, the loads, the sums and one product fill the 15 vector registers
 * that V8 can use on x64. With more input channels per iteration or more pixels per tile, V8 keeps
 * sums in memory and reaches only half the speed.
 */
const TILES: readonly ConvTile[] = [
  { pixels: 4, channels: 8 },
  { pixels: 6, channels: 4 },
  { pixels: 1, channels: 8 },
  { pixels: 1, channels: 4 },
];

const tileName = ({ pixels, channels }: ConvTile): string => `tile${pixels}x${channels}`;

/**
 * Generates a function that computes one tile at the pixel (`$x`, `$row`). The tile's output
 * channels start at byte `$c` of a pixel. `$w` is the address of their weights. The function
 * returns the address of the weights for the next output channels.
 */
function tileText(tile: ConvTile, madd: MultiplyAdd): string {
  const { pixels, channels } = tile;
  const vectors = channels / 4;
  const sum = (p: number, v: number) => `s${p}_${v}`;
  const sums = Array.from({ length: pixels * vectors }, (_, i) =>
    sum(Math.floor(i / vectors), i % vectors),
  );
  const pointers = Array.from({ length: pixels }, (_, p) => `p${p}`);
  const segment = (name: 'base' | 'row' | 'pixel' | 'count') =>
    field('segment', name).replace('$d', '$segment');
  const channelVector = (of: 'bias' | 'slopes', v: number) =>
    `(v128.load offset=${16 * v} ${add(field('conv', of), get('c'))})`;
  const stores = (value: (p: number, v: number) => string) =>
    each(pixels, (p) =>
      lines(
        each(vectors, (v) => `(v128.store offset=${16 * v} ${get('y')} ${value(p, v)})`),
        p < pixels - 1 ? advance('y', field('conv', 'yPixel')) : '',
      ),
    );
  return `(func $${tileName(tile)} (param $d i32) (param $row i32) (param $x i32) (param $w i32) (param $c i32) (result i32)
${locals('i32', [...pointers, 'segment', 'count', 'y'])}
${locals('v128', [...sums, 'value', ...Array.from({ length: vectors }, (_, v) => `w${v}`)])}
${each(vectors, (v) => set(sum(0, v), channelVector('bias', v)))}
${each((pixels - 1) * vectors, (i) => set(sum(1 + Math.floor(i / vectors), i % vectors), get(sum(0, i % vectors))))}
${set('segment', field('conv', 'segments'))}
(loop $segments
  ${set('count', segment('pixel'))}
  ${set('p0', add(segment('base'), add(mul(get('row'), segment('row')), mul(get('x'), get('count')))))}
  ${each(pixels - 1, (p) => set(`p${p + 1}`, add(get(`p${p}`), get('count'))))}
  ${set('count', segment('count'))}
  (loop $run
    ${each(vectors, (v) => set(`w${v}`, `(v128.load offset=${v * 16} ${get('w')})`))}
    ${each(pixels, (p) =>
      lines(
        set('value', `(v128.load32_splat ${get(`p${p}`)})`),
        each(vectors, (v) => set(sum(p, v), madd(get('value'), get(`w${v}`), get(sum(p, v))))),
      ),
    )}
    ${advance('w', int(vectors * 16))}
    ${each(pixels, (p) => advance(`p${p}`, int(4)))}
    (br_if $run (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
  (br_if $segments (i32.lt_u (local.tee $segment ${add(get('segment'), int(16))}) ${field('conv', 'segmentsEnd')})))
${set('y', add(add(field('conv', 'y'), get('c')), add(mul(get('row'), field('conv', 'yRow')), mul(get('x'), field('conv', 'yPixel')))))}
(if ${field('conv', 'slopes')}
  (then
    ${each(vectors, (v) => set(`w${v}`, channelVector('slopes', v)))}
    ${stores((p, v) => leaky(get(sum(p, v)), get(`w${v}`), madd))})
  (else ${stores((p, v) => get(sum(p, v)))}))
${get('w')})`;
}

/**
 * Generates a loop over a row's tiles, from left to right. The last tile is moved left so that it
 * ends at the end of the row.
 */
function rowText({ pixels, channels }: ConvTile, single: ConvTile): string {
  const call = (tile: ConvTile) =>
    `(call $${tileName(tile)} ${['d', 'row', 'at', 'w', 'c'].map(get).join(' ')})`;
  return lines(
    set('x', int(0)),
    `(loop $tiles${channels}
    (if (i32.lt_s ${get('width')} ${int(pixels)})
      (then ${set('at', get('x'))} ${set('next', call(single))} ${advance('x', int(1))})
      (else
        ${set('at', `(i32.sub ${get('width')} ${int(pixels)})`)}
        (if (i32.lt_s ${get('x')} ${get('at')}) (then ${set('at', get('x'))}))
        ${set('next', call({ pixels, channels }))}
        ${advance('x', int(pixels))}))
    (br_if $tiles${channels} (i32.lt_s ${get('x')} ${get('width')})))`,
    set('w', get('next')),
    advance('c', int(channels * 4)),
  );
}

/**
 * Generates the function `conv`, which computes a convolution row by row. In each row, it computes
 * 8 output channels of all pixels before it starts on the next 8. Three input rows and the weights
 * for 8 channels therefore stay in the L1 cache.
 */
export function convText(madd: MultiplyAdd): string {
  const [wide8, wide4, single8, single4] = TILES;
  const body = lines(
    set('w', field('conv', 'weights')),
    set('c', int(0)),
    set('width', field('conv', 'width')),
    set('bytes', field('conv', 'channelBytes')),
    `(block $blocks (loop $next
      (br_if $blocks (i32.gt_s ${add(get('c'), int(32))} ${get('bytes')}))
      ${rowText(wide8, single8)}
      (br $next)))`,
    `(if (i32.lt_s ${get('c')} ${get('bytes')}) (then ${rowText(wide4, single4)}))`,
    `(if ${field('conv', 'epilogue')} (then (call $pointwise ${field('conv', 'epilogue')} ${get('row')} ${add(get('row'), int(1))})))`,
  );
  const declared = locals('i32', ['w', 'c', 'width', 'bytes', 'x', 'at', 'next']);
  return lines(...TILES.map((tile) => tileText(tile, madd)), rowFunction('conv', declared, body));
}
