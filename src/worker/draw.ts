/** Draws results on a canvas. This module is loaded lazily. */

import type { Engine, Model } from '../engine/engine.ts';
import { withBuffers } from '../engine/gpu/buffers.ts';
import { Reading } from '../engine/gpu/reading.ts';
import { makeSurface } from '../engine/pipeline/draw.ts';
import type { UpscaleOptions, UpscaleReport } from '../engine/types.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import type { Size } from '../geometry.ts';
import { checkBlank } from '../image/blank.ts';
import type { Rgba8Image, RgbaImage } from '../image/image.ts';
import { OneColour } from '../image/oneColour.ts';
import { toRgba8 } from '../image/pixels.ts';
import type { ImageTags } from '../image/tags.ts';

interface Onto {
  readonly canvas: OffscreenCanvas;
  /** The size of the result. */
  readonly size: Size;
  readonly tags: ImageTags;
}

/** The number of rows that are read back to check whether the drawn result is blank. */
const LOOKS = 16;

const [COPY_DST, RENDER_ATTACHMENT] = [0x2, 0x10];
const colorSpaceOf = ({ colorSpace }: ImageTags) =>
  colorSpace === 'display-p3' ? 'display-p3' : 'srgb';

/**
 * Upscales into a texture, tile by tile, and then copies the complete texture to the canvas. The
 * tiles are not drawn directly on the canvas, because the canvas's own texture expires at the end
 * of the current event-loop task, and a partial image must not be visible.
 * @throws CrispenError `IMAGE_TOO_LARGE`, `INVALID_INPUT`, `BLANK_RESULT`; the errors of
 *   `Engine.upscale`
 */
export async function drawOn(
  { canvas, size: { width, height }, tags }: Onto,
  engine: Engine,
  model: Model,
  input: Rgba8Image,
  options: UpscaleOptions,
): Promise<UpscaleReport> {
  const { device } = engine;
  const most = device.limits.maxTextureDimension2D;
  if (Math.max(width, height) > most) {
    throw new CrispenError(
      'IMAGE_TOO_LARGE',
      `A canvas of ${width} x ${height} is too large to draw.`,
      {
        hint: `This GPU's textures have at most ${most} pixels on a side. Ask for a file: output 'image/png'.`,
      },
    );
  }
  const surface = await makeSurface(device, { width, height }, model.network.scale);
  try {
    const { draw } = surface;
    const report = await engine.upscaleStrips(model, input, { ...options, draw }, () => {});
    throwIfAborted(options.signal);
    [canvas.width, canvas.height] = [width, height];
    const context = contextOf(canvas.getContext('webgpu'));
    await withBuffers(device, async (buffers) => {
      const count = Math.min(LOOKS, height);
      const rows = Array.from({ length: count }, (_, i) =>
        Math.floor(((i + 0.5) * height) / count),
      );
      const bytes = count * width * 4;
      const reading = await Reading.create(buffers, bytes);
      const encode = (encoder: GPUCommandEncoder, staging: GPUBuffer) => {
        rows.forEach((y, i) => {
          encoder.copyTextureToBuffer(
            { texture: surface.texture, origin: [0, y] },
            { buffer: staging, offset: i * width * 4 },
            [width, 1],
          );
        });
        context.configure({
          device: device.gpu,
          format: 'rgba8unorm',
          colorSpace: colorSpaceOf(tags),
          usage: COPY_DST | RENDER_ATTACHMENT,
          alphaMode: 'opaque',
        });
        const to = context.getCurrentTexture();
        const size = [width, height];
        encoder.copyTextureToTexture({ texture: surface.texture }, { texture: to }, size);
      };
      await reading.run('drawing on the canvas', bytes, encode, (content) => {
        const seen = new OneColour();
        seen.add(new Uint8ClampedArray(content, 0, bytes));
        const { scale } = model.network;
        if (seen.colour) checkBlank(rowsOf(input, rows, scale), seen.colour);
      });
    });
    return { ...report, gpuBytes: report.gpuBytes + surface.bytes };
  } finally {
    surface.destroy();
  }
}

/** Returns an image made of the input rows that correspond to the given rows of the result. */
function rowsOf({ width, data }: Rgba8Image, rows: readonly number[], scale: number): Rgba8Image {
  const stacked = new Uint8ClampedArray(rows.length * width * 4);
  rows.forEach((row, i) => {
    const from = Math.floor(row / scale) * width * 4;
    stacked.set(data.subarray(from, from + width * 4), i * width * 4);
  });
  return { width, height: rows.length, data: stacked };
}

/** @throws CrispenError `INVALID_INPUT`, `OUT_OF_MEMORY` */
export function paintOn({ canvas, tags }: Onto, image: RgbaImage): void {
  const { width, height, data } = toRgba8(image);
  const colorSpace = colorSpaceOf(tags);
  [canvas.width, canvas.height] = [width, height];
  const context = contextOf(canvas.getContext('2d', { colorSpace }));
  const pixels = data as Uint8ClampedArray<ArrayBuffer>;
  context.putImageData(new ImageData(pixels, width, height, { colorSpace }), 0, 0);
}

function contextOf<T>(context: T | null): T {
  if (context) return context;
  throw new CrispenError('OUT_OF_MEMORY', 'The canvas has no context for drawing.', {
    hint: "A smaller image needs less memory; a file none of it: output 'image/png'.",
  });
}
