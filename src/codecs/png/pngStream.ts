import { CrispenError } from '../../errors.ts';
import type { Depth, RgbaImage } from '../../image/image.ts';
import { type ImageTags, NO_TAGS } from '../../image/tags.ts';
import {
  chunk,
  colourType,
  headerChunk,
  type PngColour,
  SIGNATURE,
  tagChunks,
} from './pngChunks.ts';

/**
 * Writes a PNG losslessly, row by row. This module needs only a few megabytes of memory for any
 * image size. It uses only web APIs that Node also supports, such as `CompressionStream`, so it
 * works in pages, workers and Node. Source: the PNG specification, W3C, third edition.
 */

/** One or more whole rows of RGBA, from top to bottom, with the bit depth of the file. */
export type Rows = RgbaImage['data'];

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Whether the file has an alpha channel, which is not needed if every pixel is opaque. */
  readonly alpha: boolean;
  /** The number of bits per sample; default 8. */
  readonly depth?: Depth;
  /**
   * The tags of the image. If `grey` is set, the file is grey, unless `icc` is set and `pngColours`
   * is null. In that case, the file is RGB, because a grey PNG cannot contain an RGB profile. By
   * default, the file is sRGB and has no metadata.
   */
  readonly tags?: ImageTags;
}

/** The number of filtered bytes that are passed to the compressor at a time. */
const STRIP_BYTES = 2 ** 20;
/** The number of compressed bytes per IDAT chunk. */
const IDAT_BYTES = 2 ** 18;
/** The maximum number of bytes of a row that are examined to choose its filter. */
const SAMPLES = 4096;

/**
 * Creates a stream that receives rows and writes a PNG file to `to`. Closing the stream also closes
 * `to`. A write resolves when its rows have been compressed. The compressor waits while `to` is
 * busy, so a producer that waits for each write needs little memory. If the stream fails or is
 * aborted, it aborts `to`.
 *
 * @throws CrispenError (as the error of the stream) `INVALID_INPUT` for too few or too many rows,
 *   and any error of `to`
 */
export function pngWriter(
  header: PngHeader,
  to: WritableStream<Uint8Array<ArrayBuffer>>,
): WritableStream<Rows> {
  const colour = colourType(header.tags ?? NO_TAGS, header.alpha);
  const deflate = new CompressionStream('deflate');
  const stop = new AbortController();
  const file = deflate.readable
    .pipeThrough(new TransformStream(chunks(header, colour)))
    .pipeTo(to, { signal: stop.signal });
  file.catch(() => {}); // the failed write reports the error
  const compressor = deflate.writable.getWriter();
  compressor.closed.catch(() => {});
  const filters = rowFilters(header, colour);
  const orStop = async (work: () => Promise<void>) => {
    try {
      // If `to` fails, nothing reads from the compressor any more, and `work` never ends. `file`
      // rejects in this case.
      await Promise.race([work(), file]);
    } catch (error) {
      stop.abort(error);
      await file.catch(() => {});
      throw error;
    }
  };
  return new WritableStream<Rows>(
    {
      start({ signal }) {
        // This listener stops the output at once, even during a write. The `abort` method below is
        // called only after the current write.
        signal.addEventListener('abort', () => stop.abort(signal.reason));
      },
      write: (rows) =>
        orStop(async () => {
          for (const strip of filters.take(rows)) await compressor.write(strip);
        }),
      close: () =>
        orStop(async () => {
          filters.finish();
          await compressor.close();
          await file;
        }),
      abort: () => file.catch(() => {}),
    },
    { highWaterMark: 1 },
  );
}

/**
 * Returns a transformer that writes the compressed bytes as IDAT chunks of equal size. It also
 * writes all other parts of the file.
 */
function chunks(
  { width, height, depth = 8, tags = NO_TAGS }: PngHeader,
  colour: PngColour,
): Transformer<Uint8Array, Uint8Array<ArrayBuffer>> {
  const data = new Uint8Array(IDAT_BYTES);
  let length = 0;
  return {
    async start(out) {
      out.enqueue(SIGNATURE);
      out.enqueue(headerChunk(width, height, depth, colour));
      for (const bytes of await tagChunks(tags, colour)) out.enqueue(bytes);
    },
    transform(bytes, out) {
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + IDAT_BYTES - length);
        data.set(part, length);
        length += part.length;
        at += part.length;
        if (length === IDAT_BYTES) {
          out.enqueue(chunk('IDAT', data));
          length = 0;
        }
      }
    },
    flush(out) {
      if (length > 0) out.enqueue(chunk('IDAT', data.subarray(0, length)));
      out.enqueue(chunk('IEND', new Uint8Array(0)));
    },
  };
}

/** For each colour type, the indices of the RGBA channels that the file stores. */
const STORED: Readonly<Record<PngColour, readonly number[]>> = {
  0: [0],
  2: [0, 1, 2],
  4: [0, 3],
  6: [0, 1, 2, 3],
};

/**
 * Returns functions that apply PNG's row filters to RGBA rows, about a megabyte at a time. Each row
 * becomes one byte for the type of its filter, followed by the filtered bytes.
 */
function rowFilters({ width, height, depth = 8 }: PngHeader, colour: PngColour) {
  const stored = STORED[colour];
  const isDeep = depth === 16;
  /**
   * The number of bytes per pixel in the file. Filters compare each byte with the corresponding
   * byte of the pixel on the left, which is this many bytes earlier.
   */
  const pixel = (stored.length * depth) / 8;
  /**
   * The samples of the current row, preceded by one pixel of zeros. `above` contains the row above
   * in the same form.
   */
  let row = new Uint8Array((width + 1) * pixel);
  let above = new Uint8Array(row.length);
  let y = 0;

  const misfit = (count: number) =>
    new CrispenError(
      'INVALID_INPUT',
      `A PNG of ${width} x ${height} cannot end with ${y} + ${count} rows.`,
    );

  /**
   * Converts one row to the form in which it is stored in the file. Only the stored channels are
   * copied, and 16-bit samples become big-endian.
   */
  const read = (rows: Rows, from: number) => {
    const to = row;
    let at = pixel;
    for (let i = from; i < from + width * 4; i += 4) {
      for (let c = 0; c < stored.length; c++) {
        const sample = rows[i + stored[c]];
        if (isDeep) to[at++] = sample >> 8;
        to[at++] = sample;
      }
    }
  };

  return {
    *take(rows: Rows): Generator<Uint8Array<ArrayBuffer>> {
      const count = rows.length / (width * 4);
      if (!Number.isInteger(count) || y + count > height) throw misfit(count);
      const bytes = width * pixel + 1;
      const perStrip = Math.max(1, Math.floor(STRIP_BYTES / bytes));
      for (let top = 0; top < count; top += perStrip) {
        const bottom = Math.min(top + perStrip, count);
        const strip = new Uint8Array((bottom - top) * bytes);
        for (let i = top; i < bottom; i++) {
          read(rows, i * width * 4);
          filterRow(strip.subarray((i - top) * bytes, (i - top + 1) * bytes), row, above, pixel);
          [above, row] = [row, above];
        }
        y += bottom - top;
        yield strip;
      }
    },
    finish() {
      if (y !== height) throw misfit(0);
    },
  };
}

/**
 * Applies the best filter to `row` and writes the result to `out`. The best filter is the one whose
 * residuals, read as signed bytes, have the smallest sum of absolute values. The specification
 * recommends this heuristic (12.7). In long rows, only some of the bytes are examined. `row` and
 * `above` begin with a pixel of zeros.
 */
function filterRow(out: Uint8Array, row: Uint8Array, above: Uint8Array, pixel: number): void {
  const end = row.length;
  const sums = [0, 0, 0, 0, 0];
  // In long rows, the step is a whole number of pixels plus one byte, so that bytes of every
  // channel are examined.
  const step = end < SAMPLES ? 1 : Math.ceil(end / SAMPLES / pixel) * pixel + 1;
  for (let i = pixel; i < end; i += step) {
    const [value, left, up, corner] = [row[i], row[i - pixel], above[i], above[i - pixel]];
    sums[0] += magnitude(value);
    sums[1] += magnitude(value - left);
    sums[2] += magnitude(value - up);
    sums[3] += magnitude(value - ((left + up) >> 1));
    sums[4] += magnitude(value - paeth(left, up, corner));
  }
  const type = sums.indexOf(Math.min(...sums));
  out[0] = type;
  const o = 1 - pixel;
  if (type === 0) out.set(row.subarray(pixel), 1);
  else if (type === 1) for (let i = pixel; i < end; i++) out[i + o] = row[i] - row[i - pixel];
  else if (type === 2) for (let i = pixel; i < end; i++) out[i + o] = row[i] - above[i];
  else if (type === 3)
    for (let i = pixel; i < end; i++) out[i + o] = row[i] - ((row[i - pixel] + above[i]) >> 1);
  else
    for (let i = pixel; i < end; i++)
      out[i + o] = row[i] - paeth(row[i - pixel], above[i], above[i - pixel]);
}

function magnitude(residual: number): number {
  return Math.abs((residual << 24) >> 24);
}

function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
