/**
 * The records that the host writes to memory for the functions of the WebAssembly module. Each
 * record consists of 32-bit words in the order listed here. Addresses and distances are in bytes.
 * The word `slope1` is an f32. All other words are integers.
 *
 * A map in memory consists of rows of pixels, with the channels innermost (see `layout.ts`). A
 * record describes it by the address of its pixel (0, 0), the distance between rows (`…Row`), and
 * the distance between pixels (`…Pixel`) or the gap between them (`…Skip`).
 */
export const RECORDS = {
  /**
   * conv: `y = act(sum + bias)`, where `sum` is the weighted sum of the numbers in all segments. If
   * `slopes` is 0, `act(v)` is `v`. Otherwise, `slopes` is the address of a vector with one slope
   * per channel, and `act(v)` is `v >= 0 ? v : slope * v`.
   */
  conv: [
    'segments',
    'segmentsEnd',
    /**
     * [blocks of 8 output channels][k][8], followed by [k][4] if 4 channels remain. `k` is the sum
     * of the segments' counts.
     */
    'weights',
    'bias',
    'slopes',
    'y',
    'yRow',
    'yPixel',
    /** The number of pixels in a row. */
    'width',
    /** The size in bytes of one pixel of `y` with all its channels. It is a multiple of 16. */
    'channelBytes',
    /** The address of a `pointwise` record that is applied to each finished row, or 0 for none. */
    'epilogue',
  ],
  /**
   * winograd: a 3x3 convolution like `conv`, but computed in tiles of 2x2 output pixels. The rows
   * of its task are rows of tiles instead of rows of pixels.
   */
  winograd: [
    ...['parts', 'partsEnd'],
    /**
     * `conv` is the address of the `conv` record that is used at each of the 16 positions in a
     * transformed window. That convolution reads the windows from `v` and writes the sums of
     * products to `m`. Both `v` and `m` have one row per thread. A row is
     * [positions][tiles][channels].
     */
    ...['conv', 'v', 'm'],
    /** The distance from one thread's row to the next thread's row, in both `v` and `m`. */
    'stride',
    /** The size in bytes of the innermost dimension of `v`, the input channels of one tile. */
    'depth',
    /**
     * The weights for each of the 16 positions, one position after another, in the form that
     * `conv` uses.
     */
    'weights',
    ...['bias', 'slopes', 'y', 'yRow'],
    /** The size of `y` in pixels. */
    ...['width', 'height'],
    ...['channelBytes', 'epilogue'],
  ],
  /** A map that `winograd` reads. `x` is the address of the map's pixel (-1, -1). */
  part: ['x', 'row', 'pixel'],
  /**
   * Consecutive numbers that `conv` reads for each output pixel. `count` is how many it reads per
   * pixel. `base` is the address of the numbers for pixel (0, 0).
   */
  segment: ['base', 'row', 'pixel', 'count'],
  /**
   * pointwise: `y = act1(act0(a) * m * factorA + r * factorR)`. `kind0` selects the activation
   * `act0`, and `kind1` selects `act1` (see `KINDS`). `slopes` is the address of a vector with one
   * slope per channel for `act0`, and `slope1` is the slope for `act1`. Each of `m` and `r` is
   * either a map or a single pixel that is repeated. For a single pixel, `…Row` is 0, and `…Skip`
   * is minus the size of the pixel, so that the next pixel is read from the same address.
   */
  pointwise: [
    ...['a', 'aRow', 'aSkip'],
    /** [channels] */
    'slopes',
    ...['m', 'mRow', 'mSkip'],
    ...['r', 'rRow', 'rSkip'],
    ...['y', 'yRow', 'ySkip'],
    /** The addresses of the factors. */
    ...['factorA', 'factorR'],
    ...['kind0', 'kind1', 'slope1'],
    ...['width', 'channelBytes'],
  ],
  /**
   * move: copies numbers from the source map (`from`) to the map `y`. `channels` is how many are
   * copied to each pixel of `y`. The numbers for row `i` and column `j` of `y` come from the source
   * pixel in row `floor(i / divide)` and column `floor(j / divide)`. They begin at byte
   * `phase * ((i mod divide) * divide + j mod divide)` of that pixel.
   */
  move: [
    ...['from', 'fromRow', 'fromPixel', 'fromChannel'],
    ...['y', 'yRow', 'yPixel', 'yChannel'],
    ...['width', 'channels', 'divide', 'phase'],
  ],
  /** bilinear: an enlargement with half-pixel centres and clamped edges. */
  bilinear: [
    ...['x', 'xRow', 'xWidth', 'xHeight'],
    ...['y', 'yRow', 'width', 'channelBytes', 'scale'],
  ],
  /** sums: the sums of each row of `x`, one for each channel. `y` is [rows][channels]. */
  sums: ['x', 'xRow', 'y', 'width', 'channelBytes'],
} as const;

export type RecordName = keyof typeof RECORDS;
export type Field<R extends RecordName> = (typeof RECORDS)[R][number];
/** The values of a record's fields. */
export type Fields<R extends RecordName> = Readonly<Record<Field<R>, number>>;

/** Returns a record's size in bytes. */
export const recordBytes = (record: RecordName): number => RECORDS[record].length * 4;

/** Returns the byte offset of a field in its record. */
export function fieldOffset<R extends RecordName>(record: R, field: Field<R>): number {
  const fields: readonly string[] = RECORDS[record];
  return fields.indexOf(field) * 4;
}

/**
 * The values of `kind0` and `kind1`. `slope` selects `v >= 0 ? v : slope * v`, and every other name
 * selects the function that it names. The host computes all other activations, such as Mish.
 */
export const KINDS = {
  slope: 0,
  sigmoid: 1,
  silu: 2,
  centredSigmoid: 3,
  gelu: 4,
} as const;
