/**
 * The records that the host writes into linear memory for the module's functions: 32-bit words in
 * this order. Addresses and distances are in bytes. The word `slope1` is f32.
 *
 * A map in memory consists of rows of pixels, channels innermost (`layout.ts`). A record describes
 * it by the address of its pixel (0, 0), the distance between rows (`…Row`), and the distance
 * between pixels (`…Pixel`) or the gap between them (`…Skip`).
 */
export const RECORDS = {
  /**
   * conv: y = act(sum over segments + bias), where act(v) = v if `slopes` is 0, else v >= 0 ? v :
   * slope[channel] * v.
   */
  conv: [
    'segments',
    'segmentsEnd',
    /** [blocks of 8 channels][k][8], then [k][4] if 4 channels remain. */
    'weights',
    'bias',
    'slopes',
    'y',
    'yRow',
    'yPixel',
    /** Pixels in a row. */
    'width',
    /** Bytes of all channels of a pixel of y: a multiple of 16. */
    'channelBytes',
    /** A `pointwise` record for each finished row; 0 for none. */
    'epilogue',
  ],
  /**
   * winograd: a 3x3 convolution like `conv`, by tiles of 2x2 pixels. Its rows are rows of tiles.
   */
  winograd: [
    ...['parts', 'partsEnd'],
    /**
     * A `conv` record for the products at one position. It reads `v` and writes `m`, where each
     * thread has a row and pixels are [positions][tiles].
     */
    ...['conv', 'v', 'm'],
    /** Distance from a thread's `v` and `m` to the next thread's. */
    'stride',
    /** Bytes of a transformed window's channels at one position. */
    'depth',
    /** [positions], each as in `conv`. */
    'weights',
    ...['bias', 'slopes', 'y', 'yRow'],
    /** Size of y in pixels. */
    ...['width', 'height'],
    ...['channelBytes', 'epilogue'],
  ],
  /** A map that a convolution by tiles reads; x is its pixel (-1, -1). */
  part: ['x', 'row', 'pixel'],
  /** A run of `count` numbers from `base` on that a convolution reads for each pixel. */
  segment: ['base', 'row', 'pixel', 'count'],
  /**
   * pointwise: y = act1(act0(a) * m * factorA + r * factorR). act0 and act1 are v >= 0 ? v : slope
   * * v, or the function that `kind…` names (`KINDS`). m and r are maps or one pixel that repeats,
   * whose row distance is 0 and whose skip leads back.
   */
  pointwise: [
    ...['a', 'aRow', 'aSkip'],
    /** [channels] */
    'slopes',
    ...['m', 'mRow', 'mSkip'],
    ...['r', 'rRow', 'rSkip'],
    ...['y', 'yRow', 'ySkip'],
    /** Addresses of the factors. */
    ...['factorA', 'factorR'],
    ...['kind0', 'kind1', 'slope1'],
    ...['width', 'channelBytes'],
  ],
  /**
   * move: copies `channels` numbers of each pixel of y from the pixel (floor(x / divide), floor(y /
   * divide)) of `from`, with an offset of `phase` bytes for each step of (y mod divide) * divide +
   * x mod divide.
   */
  move: [
    ...['from', 'fromRow', 'fromPixel', 'fromChannel'],
    ...['y', 'yRow', 'yPixel', 'yChannel'],
    ...['width', 'channels', 'divide', 'phase'],
  ],
  /** bilinear: enlargement with half-pixel centres and clamped edges. */
  bilinear: [
    ...['x', 'xRow', 'xWidth', 'xHeight'],
    ...['y', 'yRow', 'width', 'channelBytes', 'scale'],
  ],
  /** sums: the sums of each channel over each row of x; y is [rows][channels]. */
  sums: ['x', 'xRow', 'y', 'width', 'channelBytes'],
} as const;

export type RecordName = keyof typeof RECORDS;
export type Field<R extends RecordName> = (typeof RECORDS)[R][number];

/** Bytes of a record. */
export const recordBytes = (record: RecordName): number => RECORDS[record].length * 4;

/** Byte offset of a field in its record. */
export function fieldOffset<R extends RecordName>(record: R, field: Field<R>): number {
  const fields: readonly string[] = RECORDS[record];
  return fields.indexOf(field) * 4;
}

/**
 * The meaning of `kind0` and `kind1`: a slope on the negative side, or a function. The host
 * computes functions that no family in the catalogue uses, such as Mish.
 */
export const KINDS = {
  slope: 0,
  sigmoid: 1,
  silu: 2,
  centredSigmoid: 3,
  gelu: 4,
} as const;
