/**
 * Resizing without a network: Lanczos in linear light, on the GPU or the CPU, in rows from top to
 * bottom. A chunk of its own: most pages never resize.
 */
import { CrispenError, throwIfAborted } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { type Depth, depthOf, type RgbaImage } from '../../image/image.ts';
import { type TapRuns, tapRuns } from '../../image/taps.ts';
import { mapGrid, PARAM_WORDS, paramWords } from '../../kernels/kernel.ts';
import {
  resampleColumnsReference,
  resampleRowsReference,
} from '../../kernels/pixels/resample.reference.ts';
import {
  packTaps,
  resampleColumnsKernel,
  resampleRowsKernel,
} from '../../kernels/pixels/resample.ts';
import { type Device, PARAM_BYTES, USAGE } from '../gpu/device.ts';
import type { RunOptions } from '../types.ts';

/** RGBA of any number of whole rows, as in `RgbaImage`. */
export type Samples = RgbaImage['data'];

export interface ResizeSpec {
  readonly from: Size;
  readonly to: Size;
  /** Of the rows that come and of those that are made. */
  readonly depthIn: Depth;
  readonly depthOut: Depth;
  /** Null: on the CPU, with the kernels' references. */
  readonly device: Device | null;
  /** About the bytes of rows that pass through at a time; default 16 MiB. */
  readonly stripBytes?: number | undefined;
}

/** Both passes over rows, on one processor. */
interface Passes {
  /** Resizes rows horizontally into the ring; the first is row `row` of the source. */
  columns(pixels: Samples, row: number): Promise<void>;
  /** `count` rows of the result from row `row` on. */
  rows(row: number, count: number): Promise<Samples>;
  destroy(): void;
}

/** What both kinds of passes work with. */
interface Plan extends ResizeSpec {
  readonly columns: TapRuns;
  readonly rows: TapRuns;
  /** Source rows that the ring holds, that come and rows of the result that are made at a time. */
  readonly ringRows: number;
  readonly fedRows: number;
  readonly madeRows: number;
}

const STRIP_BYTES = 2 ** 24;

export const samplesOf = (depth: Depth, pixels: number): Samples =>
  depth === 16 ? new Uint16Array(pixels * 4) : new Uint8ClampedArray(pixels * 4);

/**
 * Resizes an image whose rows come from top to bottom, in memory for a few rows only.
 *
 * Lanczos with three lobes, widened by the factor of a reduction so that it averages what it
 * covers; edges mirrored. In linear light by the curve of sRGB, which is also that of Display P3 and
 * near enough to the gamma of other profiles; with premultiplied alpha, in f32. The sum of the weights
 * is one, so flat areas keep their value, transparent and opaque ones included.
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

  /** @throws CrispenError `INVALID_INPUT` for impossible sizes, `IMAGE_TOO_LARGE`, `OUT_OF_MEMORY`. */
  static async open(spec: ResizeSpec): Promise<RowResizer> {
    const { from, to, device, stripBytes = STRIP_BYTES } = spec;
    for (const side of [from.width, from.height, to.width, to.height]) {
      if (Number.isSafeInteger(side) && side > 0) continue;
      const sizes = `${from.width} x ${from.height} to ${to.width} x ${to.height}`;
      throw new CrispenError('INVALID_INPUT', `Nothing can be resized from ${sizes}.`);
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
    return new RowResizer(plan, device ? await gpuPasses(plan, device) : cpuPasses(plan));
  }

  /** Takes the next rows of the source, and gives the rows of the result that they complete. */
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
  readonly device: Device | null;
  /** Bits of the result; default the image's own. */
  readonly depth?: Depth | undefined;
}

/**
 * A whole image resized to exactly `size`; see `RowResizer` for how.
 * @throws CrispenError `ABORTED` and as `RowResizer.open`.
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
    const data = allocate(depth, width, height);
    let at = 0;
    for await (const rows of resizer.push(image.data)) {
      throwIfAborted(signal);
      data.set(rows, at);
      at += rows.length;
      onProgress?.({ fraction: at / data.length, remainingMs: null });
    }
    return { width, height, data } as RgbaImage;
  } finally {
    resizer.destroy();
  }
}

function allocate(depth: Depth, width: number, height: number): Samples {
  try {
    return samplesOf(depth, width * height);
  } catch (cause) {
    throw new CrispenError('OUT_OF_MEMORY', `No memory for an image of ${width} x ${height}.`, {
      hint: 'Choose a smaller image or scale.',
      cause,
    });
  }
}

function cpuPasses({ from, to, columns, rows, ringRows, depthOut }: Plan): Passes {
  const ring = { rows: ringRows, data: new Float32Array(ringRows * to.width * 4) };
  // A worker that does nothing else must still hear of a cancellation.
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

async function gpuPasses(plan: Plan, device: Device): Promise<Passes> {
  const { from, to, columns, rows, ringRows, fedRows, madeRows, depthIn, depthOut } = plan;
  const bytes = (depth: Depth, width: number, count: number) => (width * count * depth) / 2;
  const ringBytes = ringRows * to.width * 16;
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  if (ringBytes > Math.min(maxStorageBufferBindingSize, maxBufferSize)) {
    throw new CrispenError('IMAGE_TOO_LARGE', 'Rows of this image are more than the GPU binds.', {
      hint: 'Resize in several steps, or width and height by about the same factor.',
    });
  }
  const columnsKernel = resampleColumnsKernel(depthIn === 16);
  const rowsKernel = resampleRowsKernel(depthOut === 16);
  const [columnsPipeline, rowsPipeline] = await Promise.all([
    device.compile(columnsKernel),
    device.compile(rowsKernel),
  ]);
  const buffers: GPUBuffer[] = [];
  const destroy = () => {
    for (const buffer of buffers) buffer.destroy();
  };
  const make = (label: string, size: number, usage: number) => {
    const buffer = device.buffer(label, size, usage);
    buffers.push(buffer);
    return buffer;
  };
  const tapWords = [columns, rows].map(packTaps);
  const { STORAGE, COPY_DST, COPY_SRC, MAP_READ, UNIFORM } = USAGE;
  const outBytes = bytes(depthOut, to.width, madeRows);
  const allocated = device.scoped('allocating rows to resize', () => ({
    source: make('rows', bytes(depthIn, from.width, fedRows), STORAGE | COPY_DST),
    ring: make('resized columns', ringBytes, STORAGE),
    out: make('resized rows', outBytes, STORAGE | COPY_SRC),
    staging: make('staging', outBytes, MAP_READ | COPY_DST),
    taps: tapWords.map((words) => make('taps', words.byteLength, STORAGE | COPY_DST)),
    uniforms: [0, 1].map(() => make('uniforms', PARAM_BYTES, UNIFORM | COPY_DST)),
  }));
  const { source, ring, out, staging, taps, uniforms } = await allocated.catch((error) => {
    destroy();
    throw error;
  });
  const { queue } = device.gpu;
  tapWords.forEach((words, i) => {
    queue.writeBuffer(taps[i], 0, words);
  });
  const pipelines = [columnsPipeline, rowsPipeline];
  const groups = [
    [source, taps[0], ring],
    [ring, taps[1], out],
  ].map((bound, i) =>
    device.gpu.createBindGroup({
      layout: pipelines[i].layout,
      entries: [uniforms[i], ...bound].map((buffer, binding) => ({
        binding,
        resource: { buffer },
      })),
    }),
  );
  const dispatch = async (
    i: number,
    params: readonly number[],
    finish?: (encoder: GPUCommandEncoder) => void,
  ): Promise<void> => {
    const words = new Uint32Array(PARAM_WORDS);
    words.set(params);
    const [x, y] = mapGrid(params[0], params[1], 1);
    const { verdict } = device.scopes('resizing', () => {
      queue.writeBuffer(uniforms[i], 0, words);
      const encoder = device.gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipelines[i].pipeline);
      pass.setBindGroup(0, groups[i], [0]);
      pass.dispatchWorkgroups(x, y);
      pass.end();
      finish?.(encoder);
      queue.submit([encoder.finish()]);
    });
    await verdict;
  };
  return {
    async columns(pixels, row) {
      const count = pixels.length / (from.width * 4);
      queue.writeBuffer(source, 0, pixels as Samples & { buffer: ArrayBuffer });
      const words = paramWords(columnsKernel, {
        width: to.width,
        height: count,
        in_width: from.width,
        row0: row,
        ring_rows: ringRows,
        count: columns.count,
      });
      await dispatch(0, words);
    },
    async rows(row, count) {
      const size = bytes(depthOut, to.width, count);
      const words = paramWords(rowsKernel, {
        width: to.width,
        height: count,
        row0: row,
        ring_rows: ringRows,
        count: rows.count,
      });
      await dispatch(1, words, (encoder) => encoder.copyBufferToBuffer(out, 0, staging, 0, size));
      const content = await device.read(staging, size);
      return depthOut === 16 ? new Uint16Array(content) : new Uint8ClampedArray(content);
    },
    destroy,
  };
}
