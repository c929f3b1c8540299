import { CrispenError, internal, nonFinite, throwIfAborted } from '../../errors.ts';
import type { Size, Tile } from '../../geometry.ts';
import type { RgbaImage } from '../../image/image.ts';
import type { ImageResources, Program, ResourceId } from '../compile/program.ts';
import { Arena, markBytes, planProgram, type SizedDispatch, uniformBytes } from '../gpu/arena.ts';
import { Buffers } from '../gpu/buffers.ts';
import { type Device, USAGE } from '../gpu/device.ts';
import type { Model } from '../gpu/model.ts';
import type { Pace } from '../gpu/pace.ts';
import { upload } from '../gpu/reading.ts';
import { Receipt } from '../gpu/receipt.ts';
import type { Strip, StripSink, UpscaleOptions } from '../types.ts';
import type { StripPlan } from './tiler.ts';

/** The GPU buffers that a `StripRun` needs to process its tiles. */
export interface Job {
  readonly arena: Arena;
  /**
   * The buffers for reading tiles back. One tile is read while the next one is computed, so there
   * are two buffers unless there is only one tile.
   */
  readonly staging: readonly GPUBuffer[];
  /** The set that owns all buffers of the job. */
  readonly buffers: Buffers;
}

/** The number of bytes reserved for `ImageResources.status` at the start of a staging buffer. */
const STATUS_BYTES = 16;
const [FINITE_WORD, DONE_WORD] = [0, 1];

/**
 * Returns the size in bytes of a staging buffer. The buffer holds the status, the upscaled pixels
 * and a `Receipt`. The receipt contains copies of the source's pixels and of the marks that prove
 * that the GPU ran every submission (see `Device.mark`).
 */
function stagingBytes({ network, program }: Model, size: Size): number {
  const { pixelBytes } = imageResources(program);
  const pixels = size.width * size.height;
  const result = pixels * network.scale ** 2 * pixelBytes;
  return STATUS_BYTES + result + pixels * pixelBytes + markBytes(program, size) + 4;
}

/**
 * Returns the memory in bytes that `makeJob` allocates. `uniforms` is the size of the uniform
 * buffer, and `maps` is the total size of all other buffers. Each of these other buffers has at
 * most `largest` bytes.
 * @param size the size of a tile in LR pixels, including its overlap
 * @param stagings the number of staging buffers
 */
export function plannedBytes(device: Device, model: Model, size: Size, stagings: number) {
  const { bytes, largest } = planProgram(model.program, size);
  const staging = stagingBytes(model, size);
  const uniforms = uniformBytes(device, model.program, size);
  return {
    maps: bytes + stagings * staging,
    uniforms,
    largest: Math.max(largest, staging),
  };
}

/** Returns the largest width and the largest height of the tiles' sources, in LR pixels. */
export function largestSource(strips: readonly StripPlan[]): Size {
  let [width, height] = [0, 0];
  for (const { tiles } of strips) {
    for (const { source } of tiles) {
      width = Math.max(width, source.width);
      height = Math.max(height, source.height);
    }
  }
  return { width, height };
}

/**
 * Returns a strip whose single tile covers the whole image. The width and height of the tile's
 * source are rounded up to multiples of `multiple`.
 */
export function wholeImage({ width, height }: Size, multiple: number): StripPlan {
  const core = { x: 0, y: 0, width, height };
  const up = (size: number) => Math.ceil(size / multiple) * multiple;
  return {
    y: 0,
    height,
    tiles: [{ core, source: { ...core, width: up(width), height: up(height) } }],
  };
}

/**
 * Returns the strips without the top rows of the image.
 * @param rows the number of LR rows to leave out
 */
export const rest = (strips: readonly StripPlan[], rows: number): readonly StripPlan[] =>
  strips
    .filter(({ y, height }) => y + height > rows)
    .map((strip) => ({
      ...below(strip, rows),
      tiles: strip.tiles
        .filter(({ core }) => core.y + core.height > rows)
        // The sources keep all their rows, although a shortened core needs fewer of them.
        .map(({ core, source }) => ({ core: below(core, rows), source })),
    }));

function below<T extends { readonly y: number; readonly height: number }>(
  part: T,
  rows: number,
): T {
  const y = Math.max(part.y, rows);
  return { ...part, y, height: part.y + part.height - y };
}

/** Returns the work that a program does for all tiles in `strips`, in the units of `Step.work`. */
export const workOf = ({ steps }: Program, strips: readonly StripPlan[]): number =>
  strips
    .flatMap(({ tiles }) => tiles)
    .reduce(
      (sum, { source }) =>
        sum +
        source.width *
          source.height *
          steps.reduce((all, { work, share }) => all + work * (share?.(source) ?? 1), 0),
      0,
    );

/** @throws CrispenError `OUT_OF_MEMORY`; the job's buffers are then freed */
export async function makeJob(
  device: Device,
  model: Model,
  tile: Size,
  ahead: boolean,
): Promise<Job> {
  const buffers = new Buffers(device);
  const staging = await buffers.allocate('allocating the image', (make) =>
    Array.from({ length: ahead ? 2 : 1 }, () =>
      make('staging', stagingBytes(model, tile), USAGE.MAP_READ | USAGE.COPY_DST),
    ),
  );
  return { arena: await Arena.create(buffers, model, tile), staging, buffers };
}

/**
 * Copies a tile's part of a map into the tile's arena. The map covers the whole image and stays on
 * the GPU.
 */
export type TileFill = (encoder: GPUCommandEncoder, source: Tile['source'], arena: Arena) => void;

/** Runs an image through a network, strip by strip. */
export class StripRun {
  readonly #device: Device;
  readonly #image: RgbaImage;
  readonly #scale: number;
  readonly #sink: StripSink;
  /**
   * The remaining strips. The first one might be in progress. After a failed run, the caller can
   * replace them, for example with the same strips cut into smaller tiles. Finished tiles are kept.
   */
  left: readonly StripPlan[];
  /** The SR pixels of the strip in progress. */
  #data: Uint8Array<ArrayBuffer> | null = null;
  /** An error that the sink threw. It must not be treated as a GPU failure. */
  #sinkError: unknown = null;
  tiles = 0;
  dispatches = 0;

  constructor(
    device: Device,
    image: RgbaImage,
    scale: number,
    strips: readonly StripPlan[],
    sink: StripSink,
  ) {
    this.#device = device;
    this.#image = image;
    this.#scale = scale;
    this.left = strips;
    this.#sink = sink;
  }

  /**
   * Returns whether the error means that the GPU ran out of memory. Smaller tiles might then work.
   */
  refused(error: unknown): boolean {
    return (
      error !== this.#sinkError && error instanceof CrispenError && error.code === 'OUT_OF_MEMORY'
    );
  }

  /**
   * Computes the remaining strips. While one tile is read back and delivered, the GPU already
   * computes the next tile, but no later ones.
   * @throws CrispenError with the code `NON_FINITE` or any code that `Arena.run` throws; also any
   *   error that the sink throws. When this method throws, the GPU is idle.
   */
  async run(
    job: Job,
    model: Model,
    options: {
      readonly pace: Pace;
      readonly signal?: AbortSignal | undefined;
      readonly onWork: (work: number) => void;
      readonly draw: UpscaleOptions['draw'];
      /** Returns the pixels that a tile reads. */
      readonly region: (source: Tile['source']) => RgbaImage;
      /**
       * Set if the first part of the network, the trunk, has already run over the whole image.
       * Copies the tile's part of the trunk's last map, which `model` reads, into the arena.
       */
      readonly fill?: TileFill | undefined;
      /**
       * Each entry consists of a resource and the values that must be written to it. The values are
       * pooling means, which are the same for all tiles.
       */
      readonly inputs: readonly (readonly [ResourceId, Float32Array<ArrayBuffer>])[];
    },
  ): Promise<void> {
    const { signal, region, fill, inputs, draw, ...paced } = options;
    const { arena, staging } = job;
    const resources = imageResources(model.program);
    const status = arena.buffer(resources.status);
    const source = arena.buffer(resources.source);
    if (inputs.length > 0) {
      const given = inputs.map(([id, data]) => ({ buffer: arena.buffer(id), data }));
      await upload(this.#device, 'uploading the statistics', given);
    }
    let delivery = Promise.resolve();
    const tiles = this.left.flatMap((strip) => strip.tiles.map((tile) => ({ strip, tile })));
    try {
      for (const [i, { strip, tile }] of tiles.entries()) {
        const { core } = tile;
        const held = tile.pixels ?? tile.source;
        const pixels = region(held);
        const to = staging[i % staging.length];
        const packed = arena.buffer(resources.packed);
        const bytes = draw ? 0 : core.width * core.height * this.#scale ** 2 * resources.pixelBytes;
        // Only one region of the image, `held`, is uploaded, so the coordinates of `core` and
        // `source` are relative to this region.
        const view = {
          image: pixels,
          core: { ...core, x: core.x - held.x, y: core.y - held.y },
          source: { ...tile.source, x: tile.source.x - held.x, y: tile.source.y - held.y },
          place: tile.source,
          mark: this.#device.mark(),
        };
        const sized = arena.sized(view);
        const receipt = new Receipt(this.#device, to, STATUS_BYTES + bytes);
        this.dispatches += await arena.run(sized, {
          ...paced,
          signal,
          receipt,
          write: () => arena.write(resources.source, pixels.data),
          start: (encoder) => {
            encoder.clearBuffer(status);
            fill?.(encoder, tile.source, arena);
          },
          finish: (encoder) => {
            encoder.copyBufferToBuffer(status, 0, to, 0, 8);
            if (bytes > 0) encoder.copyBufferToBuffer(packed, 0, to, STATUS_BYTES, bytes);
            receipt.expect(encoder, source, 0, pixels.data);
            draw?.(encoder, packed, core);
          },
        });
        await delivery;
        throwIfAborted(signal);
        delivery = this.#deliver(to, bytes, strip, tile, receipt, doneWord(sized, view.mark));
        delivery.catch(() => {}); // If delivery fails, the next `await delivery` throws the error.
      }
      await delivery;
    } finally {
      await delivery.catch(() => {});
      await options.pace.drain();
    }
  }

  /** Reads a tile into its strip. If the strip is then complete, passes it to the sink. */
  async #deliver(
    buffer: GPUBuffer,
    bytes: number,
    strip: StripPlan,
    tile: Tile,
    receipt: Receipt,
    done: number,
  ): Promise<void> {
    const scale = this.#scale;
    const width = this.#image.width * scale;
    const height = strip.height * scale;
    const perPixel = bytes / (tile.core.width * tile.core.height * scale ** 2);
    const { buffer: made } = await this.#device.mapped(buffer, receipt.end, (content) => {
      receipt.check(content);
      const status = new Uint32Array(content, 0, 2);
      if (status[DONE_WORD] !== done) throw this.#device.broken('did not finish a tile');
      if (status[FINITE_WORD] !== 0) throw nonFinite();
      this.#data ??= new Uint8Array(width * height * perPixel);
      const pixels = new Uint8Array(content, STATUS_BYTES, bytes);
      paste(this.#data, width * perPixel, pixels, strip.y, tile.core, scale, perPixel);
      return this.#data;
    });
    this.tiles++;
    const [first, ...others] = this.left;
    const tiles = first.tiles.slice(1);
    this.left = tiles.length > 0 ? [{ ...first, tiles }, ...others] : others;
    if (tiles.length > 0) return;
    this.#data = null;
    try {
      const data = perPixel === 4 ? new Uint8ClampedArray(made) : new Uint16Array(made);
      await this.#sink({ y: strip.y * scale, width, height, data } as Strip);
    } catch (error) {
      this.#sinkError = error;
      throw error;
    }
  }
}

/**
 * Returns the value that the status must have at `DONE_WORD`. It proves that all workgroups of the
 * last kernel have run, because each of them adds `mark` to this word.
 */
export function doneWord(dispatches: readonly SizedDispatch[], mark: number): number {
  const [x, y, z] = (dispatches.at(-1) as SizedDispatch).grid;
  return Math.imul(x * y * z, mark) >>> 0;
}

/**
 * Returns the resources that hold a program's source pixels, its upscaled pixels and its status.
 * A program for a trace (`traceNetwork.ts`) reads and writes feature maps instead of images, so it
 * has no such resources.
 */
export function imageResources({ image }: Program): ImageResources {
  if (!image) throw internal('the model was lowered without image conversion');
  return image;
}

/** Copies a tile's pixels into its strip. Each row of the strip has `stride` bytes. */
function paste(
  strip: Uint8Array,
  stride: number,
  pixels: Uint8Array,
  stripY: number,
  core: Tile['core'],
  scale: number,
  perPixel: number,
): void {
  const row = core.width * scale * perPixel;
  for (let y = 0; y < core.height * scale; y++) {
    const at = ((core.y - stripY) * scale + y) * stride + core.x * scale * perPixel;
    strip.set(pixels.subarray(y * row, (y + 1) * row), at);
  }
}
