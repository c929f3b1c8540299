/** Keeps a result on the GPU by drawing its tiles into a texture. */

import type { Size } from '../../geometry.ts';
import { pixelsToTexture } from '../../kernels/pixels/texture.ts';
import type { Device } from '../gpu/device.ts';
import { binding, type Pipeline } from '../gpu/pipelines.ts';
import type { UpscaleOptions } from '../types.ts';

// The global GPUTextureUsage exists only in browsers.
const [COPY_SRC, COPY_DST, STORAGE_BINDING] = [0x1, 0x2, 0x8];

/** Encodes a pass that runs a shader on a texture. Each invocation computes one pixel. */
export function texturePass(
  encoder: GPUCommandEncoder,
  { pipeline }: Pipeline,
  bindGroup: GPUBindGroup,
  { width, height }: Size,
): void {
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(Math.ceil(width / 8), Math.ceil(height / 8));
  pass.end();
}

export interface Surface {
  /**
   * A texture of the result's size in the format `rgba8unorm`, with the usages `COPY_SRC`,
   * `COPY_DST` and `STORAGE_BINDING`.
   */
  readonly texture: GPUTexture;
  /** Draws a tile. See `UpscaleOptions.draw`. */
  readonly draw: NonNullable<UpscaleOptions['draw']>;
  /** The total size of all textures created so far, in bytes. */
  readonly bytes: number;
  destroy(): void;
}

/**
 * Creates a surface for one result.
 * @param size the size of the result
 * @param scale the network's scale. A tile's core is measured in LR pixels, and the texture is
 *   `scale` times as wide and high as the LR image.
 * @throws CrispenError `OUT_OF_MEMORY`, `DEVICE_LOST`
 */
export async function makeSurface(device: Device, size: Size, scale: number): Promise<Surface> {
  const { gpu } = device;
  const make = ({ width, height }: Size) =>
    gpu.createTexture({
      label: 'result',
      size: [width, height],
      format: 'rgba8unorm',
      usage: COPY_SRC | COPY_DST | STORAGE_BINDING,
    });
  const shader = await device.compileShader('pixels to texture', pixelsToTexture);
  const texture = await device.scoped('allocating the result', () => make(size));
  // The shader uses the texture's width as the row length, so each tile size needs its own texture.
  const tiles = new Map([[`${size.width}x${size.height}`, texture]]);
  return {
    texture,
    draw(encoder, packed, core) {
      const [width, height] = [core.width * scale, core.height * scale];
      const key = `${width}x${height}`;
      const tile = tiles.get(key) ?? make({ width, height });
      tiles.set(key, tile);
      const resources = [{ buffer: packed }, tile.createView()];
      const bindGroup = gpu.createBindGroup(binding(shader.layout, resources));
      texturePass(encoder, shader, bindGroup, tile);
      if (tile === texture) return;
      const origin = [core.x * scale, core.y * scale];
      encoder.copyTextureToTexture({ texture: tile }, { texture, origin }, [width, height]);
    },
    get bytes() {
      return [...tiles.values()].reduce((sum, { width, height }) => sum + width * height * 4, 0);
    },
    destroy() {
      for (const tile of tiles.values()) tile.destroy();
    },
  };
}
