/**
 * Resizes images without a network, using Lanczos in linear light, on the GPU or the CPU. Rows are
 * processed from top to bottom.
 */
import { CrispenError, throwIfAborted } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { type Depth, depthOf, type RgbaImage, type Samples, samplesOf } from '../../image/image.ts';
import { type TapRuns, tapRuns } from '../../image/taps.ts';
import { mapGrid, type Params } from '../../kernels/kernel.ts';
import {
  resampleColumnsReference,
  resampleRowsReference,
} from '../../kernels/pixels/resample.reference.ts';
import {
  packTaps,
  resampleColumnsKernel,
  resampleRowsKernel,
} from '../../kernels/pixels/resample.ts';
import { type BoundKernel, bindKernel, uniformUsage } from '../gpu/bound.ts';
import { Buffers } from '../gpu/buffers.ts';
import { type Device, type DeviceSource, USAGE } from '../gpu/device.ts';
import { PARAM_BYTES } from '../gpu/pipelines.ts';
import { Reading, upload } from '../gpu/reading.ts';
import type { Receipt } from '../gpu/receipt.ts';
import type { RunOptions } from '../types.ts';
import { WholeImage } from './wholeImage.ts';

export interface ResizeSpec {
  readonly from: Size;
  readonly to: Size;
  /** The bits per sample of the source (`depthIn`) and of the result (`depthOut`). */
  readonly depthIn: Depth;
  readonly depthOut: Depth;
  /** If null, the CPU resizes with the reference kernels. */
  readonly device: Device | DeviceSource | null;
  /**
   * The approximate size in bytes of the rows that are processed together. The default is 16 MiB.
   */
  readonly stripBytes?: number | undefined;
}

/**
 * The two passes of a resize, on the GPU or the CPU. The horizontal pass fills a ring buffer with
 * rows, and the vertical pass reads them.
 */
interface Passes {
  /**
   * Resizes rows of the source horizontally and writes them to the ring buffer. `pixels` starts
   * with row `row` of the source.
   */
  columns(pixels: Samples, row: number): Promise<void>;
  /** Computes `count` rows of the result, starting with row `row`. */
  rows(row: number, count: number): Promise<Samples>;
  destroy(): void;
}

/** The specification of a resize, with the filter weights and buffer sizes that its passes use. */
interface Plan extends ResizeSpec {
  readonly columns: TapRuns;
  readonly rows: TapRuns;
  /** The number of horizontally resized rows that the ring buffer can hold. */
  readonly ringRows: number;
  /** The maximum number of source rows that one call to `columns` resizes. */
  readonly fedRows: number;
  /** The maximum number of result rows that one call to `rows` computes. */
  readonly madeRows: number;
}

const STRIP_BYTES = 2 ** 24;

/**
 * Resizes an image whose rows arrive from top to bottom, and holds only a few rows in memory.
 *
 * The filter is Lanczos with three lobes, widened by the reduction factor for antialiasing. Edges
 * are mirrored. The computation uses f32, premultiplied alpha and linear light according to the
 * sRGB curve. Display P3 has the same curve, and most other colour profiles have similar ones. The
 * weights sum to one, so flat areas keep their values, whether transparent or opaque.
 */
export class RowResizer {
  readonly #plan: Plan;
  readonly #passes: Passes;
  #fed = 0;
  #made = 0;

  private constructor(plan: Plan, passes: Passes) {
    this.#plan = plan;
    this.#passes = passes;
  }

  /**
   * @throws CrispenError `INVALID_INPUT` for impossible sizes, `IMAGE_TOO_LARGE`, `OUT_OF_MEMORY`
   */
  static async open(spec: ResizeSpec): Promise<RowResizer> {
    const { from, to, device, stripBytes = STRIP_BYTES } = spec;
    for (const side of [from.width, from.height, to.width, to.height]) {
      if (Number.isSafeInteger(side) && side > 0) continue;
      const sizes = `${from.width} x ${from.height} to ${to.width} x ${to.height}`;
      throw new CrispenError('INVALID_INPUT', `An image cannot be resized from ${sizes}.`);
    }
    const rows = tapRuns(from.height, to.height, 'lanczos3');
    const per = (bytes: number) => Math.max(1, Math.floor(stripBytes / bytes));
    const fedRows = Math.min(from.height, per(Math.max(from.width * 8, to.width * 16)));
    const plan: Plan = {
      ...spec,
      columns: tapRuns(from.width, to.width, 'lanczos3'),
      rows,
      fedRows,
      ringRows: Math.min(from.height, rows.count + fedRows),
      madeRows: Math.min(to.height, per(to.width * 8)),
    };
    return new RowResizer(plan, device ? await lastingPasses(plan, device) : cpuPasses(plan));
  }

  /** Takes the source's next rows and yields the result rows that they complete. */
  async *push(pixels: Samples): AsyncGenerator<Samples> {
    const { from, to, rows, fedRows, madeRows } = this.#plan;
    const stride = from.width * 4;
    for (let at = 0; at < pixels.length; at += fedRows * stride) {
      const part = pixels.subarray(at, at + fedRows * stride);
      await this.#passes.columns(part, this.#fed);
      this.#fed += part.length / stride;
      while (this.#made < to.height) {
        let end = this.#made;
        const most = Math.min(to.height, end + madeRows);
        while (end < most && rows.first[end] + rows.count <= this.#fed) end++;
        if (end === this.#made) break;
        const made = await this.#passes.rows(this.#made, end - this.#made);
        this.#made = end;
        yield made;
      }
    }
  }

  destroy(): void {
    this.#passes.destroy();
  }
}

export interface ResizeOptions extends RunOptions {
  /** The device, or a `DeviceSource`, which provides another device after a loss. */
  readonly device: Device | DeviceSource | null;
  /** The bits per sample of the result. The default is the image's own depth. */
  readonly depth?: Depth | undefined;
}

/**
 * Resizes a whole image to exactly `width` x `height` pixels. See `RowResizer`.
 * @throws CrispenError `ABORTED`, and the errors that `RowResizer.open` throws.
 */
export async function resize(
  image: RgbaImage,
  { width, height }: Size,
  { device, depth = depthOf(image), signal, onProgress }: ResizeOptions,
): Promise<RgbaImage> {
  const to = { width, height };
  const spec = { from: image, to, depthIn: depthOf(image), depthOut: depth, device };
  throwIfAborted(signal);
  const resizer = await RowResizer.open(spec);
  try {
    const whole = new WholeImage({ width, height, depth }, 1);
    let done = 0;
    for await (const rows of resizer.push(image.data)) {
      throwIfAborted(signal);
      whole.add(rows);
      done += rows.length;
      onProgress?.({ fraction: done / whole.image.data.length, remainingMs: null });
    }
    return whole.image;
  } finally {
    resizer.destroy();
  }
}

function cpuPasses({ from, to, columns, rows, ringRows, depthOut }: Plan): Passes {
  const ring = { rows: ringRows, data: new Float32Array(ringRows * to.width * 4) };
  // Yields to the event loop, so that the worker can receive a cancellation.
  const breath = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
  return {
    async columns(pixels, row) {
      resampleColumnsReference(pixels, from.width, row, columns, ring);
      await breath();
    },
    async rows(row, count) {
      const out = samplesOf(depthOut, to.width * count);
      resampleRowsReference(ring, row, rows, to.width, out);
      await breath();
      return out;
    },
    destroy() {},
  };
}

/** The work fails after this many consecutive device losses. */
const MOST_LOSSES = 3;

/**
 * Returns passes that run on the GPU. If the device is lost and came from a `DeviceSource`, they
 * continue on another device.
 */
async function lastingPasses(plan: Plan, device: Device | DeviceSource): Promise<Passes> {
  const canRenew = typeof device === 'function';
  const open = async () => gpuPasses(plan, canRenew ? await device() : device);
  let passes = await whileLost(open, canRenew);
  const stride = plan.from.width * 4;
  /**
   * The source rows that belong to the rows in the ring buffer. After a device loss, they are
   * resized again on the new device.
   */
  let recent: { readonly pixels: Samples; readonly row: number }[] = [];
  const lasting = <T>(work: () => Promise<T>): Promise<T> =>
    whileLost(async (losses) => {
      if (losses > 0) {
        passes.destroy();
        passes = await open();
        for (const { pixels, row } of recent) await passes.columns(pixels, row);
      }
      return work();
    }, canRenew);
  return {
    columns(pixels, row) {
      const end = row + pixels.length / stride;
      recent = [...recent, { pixels, row }].filter(
        (part) => part.row + part.pixels.length / stride > end - plan.ringRows,
      );
      return lasting(() => passes.columns(pixels, row));
    },
    rows: (row, count) => lasting(() => passes.rows(row, count)),
    destroy: () => passes.destroy(),
  };
}

/**
 * Runs `work`, which receives the number of device losses so far. If the device is lost and can be
 * replaced, `work` runs again, up to `MOST_LOSSES` times in all.
 */
async function whileLost<T>(work: (losses: number) => Promise<T>, canRenew: boolean): Promise<T> {
  for (let losses = 0; ; ) {
    try {
      return await work(losses);
    } catch (error) {
      losses++;
      const isLost = error instanceof CrispenError && error.code === 'DEVICE_LOST';
      if (!isLost || !canRenew || losses >= MOST_LOSSES) throw error;
    }
  }
}

async function gpuPasses(plan: Plan, device: Device): Promise<Passes> {
  const { from, to, columns, rows, ringRows, fedRows, madeRows, depthIn, depthOut } = plan;
  const bytes = (depth: Depth, width: number, count: number) => (width * count * depth) / 2;
  const ringBytes = ringRows * to.width * 16;
  if (ringBytes > device.largestBuffer) {
    throw new CrispenError('IMAGE_TOO_LARGE', 'The rows of this image are too long for the GPU.', {
      hint: 'Resize in several steps, or scale width and height by about the same factor.',
    });
  }
  const columnsKernel = resampleColumnsKernel(depthIn === 16);
  const rowsKernel = resampleRowsKernel(depthOut === 16);
  const [columnsPipeline, rowsPipeline] = await Promise.all([
    device.compile(columnsKernel),
    device.compile(rowsKernel),
  ]);
  const buffers = new Buffers(device);
  const taps = { columns: packTaps(columns), rows: packTaps(rows) };
  const { STORAGE, COPY_DST, COPY_SRC } = USAGE;
  const outBytes = bytes(depthOut, to.width, madeRows);
  const sourceBytes = bytes(depthIn, from.width, fedRows);
  const made = await buffers.allocate('allocating rows to resize', (make) => ({
    source: make('rows', sourceBytes, STORAGE | COPY_DST | COPY_SRC),
    ring: make('resized columns', ringBytes, STORAGE),
    out: make('resized rows', outBytes, STORAGE | COPY_SRC),
    columnTaps: make('taps', taps.columns.byteLength, STORAGE | COPY_DST | COPY_SRC),
    rowTaps: make('taps', taps.rows.byteLength, STORAGE | COPY_DST | COPY_SRC),
    columnUniform: make('uniforms', PARAM_BYTES, uniformUsage),
    rowUniform: make('uniforms', PARAM_BYTES, uniformUsage),
  }));
  const reading = await Reading.create(buffers, Math.max(outBytes, sourceBytes) + PARAM_BYTES);
  const { columnPass, rowPass } = await prepared();

  /**
   * Uploads the filter weights and binds the buffers of both passes. If this fails, all buffers are
   * freed.
   * @throws CrispenError `OUT_OF_MEMORY`, `INTERNAL`, `DEVICE_LOST`
   */
  async function prepared() {
    try {
      await upload(device, 'preparing a resize', [
        { buffer: made.columnTaps, data: taps.columns },
        { buffer: made.rowTaps, data: taps.rows },
      ]);
      return await device.scoped('preparing a resize', () => ({
        columnPass: bindKernel(device, columnsKernel, columnsPipeline, made.columnUniform, {
          image: made.source,
          taps: made.columnTaps,
          ring: made.ring,
        }),
        rowPass: bindKernel(device, rowsKernel, rowsPipeline, made.rowUniform, {
          ring: made.ring,
          taps: made.rowTaps,
          image: made.out,
        }),
      }));
    } catch (error) {
      buffers.destroy();
      throw error;
    }
  }

  const dispatch = <P extends string>(
    encoder: GPUCommandEncoder,
    receipt: Receipt,
    bound: BoundKernel<P>,
    height: number,
    params: Params<P>,
  ): void => {
    const words = bound.set(params);
    receipt.expect(encoder, bound.uniform, 0, words);
    const pass = encoder.beginComputePass();
    bound.dispatch(pass, mapGrid(to.width, height, 1));
    pass.end();
  };
  return {
    columns(pixels, row) {
      const height = pixels.length / (from.width * 4);
      const params = {
        width: to.width,
        height,
        in_width: from.width,
        row0: row,
        ring_rows: ringRows,
        count: columns.count,
      };
      const encode = (encoder: GPUCommandEncoder, _: GPUBuffer, receipt: Receipt) => {
        device.gpu.queue.writeBuffer(made.source, 0, pixels as Samples & { buffer: ArrayBuffer });
        dispatch(encoder, receipt, columnPass, height, params);
        receipt.expect(encoder, made.source, 0, pixels);
      };
      return reading.run('resizing', 0, encode, () => {});
    },
    rows(row, height) {
      const size = bytes(depthOut, to.width, height);
      const params = {
        width: to.width,
        height,
        row0: row,
        ring_rows: ringRows,
        count: rows.count,
      };
      const encode = (encoder: GPUCommandEncoder, staging: GPUBuffer, receipt: Receipt) => {
        dispatch(encoder, receipt, rowPass, height, params);
        encoder.copyBufferToBuffer(made.out, 0, staging, 0, size);
      };
      return reading.run('resizing', size, encode, (content) => {
        const data = content.slice(0, size);
        return depthOut === 16 ? new Uint16Array(data) : new Uint8ClampedArray(data);
      });
    },
    destroy: () => buffers.destroy(),
  };
}
