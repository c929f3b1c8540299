import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { picture } from '../../../test/pictures.ts';
import type { Rgba8Image, Rgba16Image, RgbaImage } from '../../image/image.ts';
import { Device } from '../gpu/device.ts';
import { RowResizer, resize } from './resize.ts';

let device: Device;
beforeAll(async () => {
  device = await Device.open(testGpu());
});
afterAll(() => device.destroy());

const widened = ({ width, height, data }: Rgba8Image): Rgba16Image => ({
  width,
  height,
  data: Uint16Array.from(data, (v, i) => (i % 4 === 3 ? v * 257 : v * 250 + 99)),
});

/** Returns the largest difference in alpha or in the colours of visible pixels. */
function worst(a: RgbaImage, b: RgbaImage): number {
  expect([a.width, a.height, a.data.length]).toEqual([b.width, b.height, b.data.length]);
  const visible = a.data instanceof Uint16Array ? 2000 : 8;
  return Array.from(a.data).reduce((most, v, i) => {
    const seen = i % 4 === 3 || b.data[i | 3] >= visible;
    return seen ? Math.max(most, Math.abs(v - b.data[i])) : most;
  }, 0);
}

describe.each([8, 16] as const)('resize on the GPU, %i bits', (depth) => {
  it.each([
    [1, 1, 5, 4],
    [33, 21, 12, 8],
    [20, 30, 54, 81],
    [48, 5, 17, 40],
  ])('%i x %i to %i x %i: as on the CPU', async (w, h, width, height) => {
    const source = depth === 16 ? widened(picture(w, h, true)) : picture(w, h, true);
    const gpu = await resize(source, { width, height }, { device });
    const cpu = await resize(source, { width, height }, { device: null });
    expect(worst(gpu, cpu)).toBeLessThanOrEqual(depth === 16 ? 4 : 1);
    if (w > 1) expect(new Set(gpu.data).size).toBeGreaterThan(8);
  });
});

it.each([
  [70, 90],
  [17, 13],
])('goes around its ring, a few rows at a time: to %i x %i', async (width, height) => {
  const source = picture(37, 48, true);
  const whole = await resize(source, { width, height }, { device });
  const to = { width, height };
  const resizer = await RowResizer.open({
    from: source,
    to,
    depthIn: 8,
    depthOut: 8,
    device,
    stripBytes: 2000,
  });
  const strips: number[][] = [];
  for await (const rows of resizer.push(source.data)) strips.push([...rows]);
  resizer.destroy();
  expect(strips.length).toBeGreaterThan(3);
  expect(strips.flat()).toEqual([...whole.data]);
});

it('refuses rows that the GPU cannot bind', async () => {
  const source = picture(2, 3000);
  const wide = resize(source, { width: 60000, height: 2 }, { device });
  const limit = device.limits.maxStorageBufferBindingSize;
  if (60000 * 3000 * 16 > limit)
    await expect(wide).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
  else expect((await wide).data.length).toBe(60000 * 2 * 4);
});

it('stops when asked, and works again', async () => {
  const abort = new AbortController();
  const onProgress = () => abort.abort();
  const running = resize(
    picture(600, 900),
    { width: 1200, height: 1800 },
    {
      device,
      signal: abort.signal,
      onProgress,
    },
  );
  await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
  const again = await resize(picture(9, 9), { width: 5, height: 5 }, { device });
  expect(again.data.length).toBe(100);
});

it('frees its buffers where something cannot be made', async () => {
  const made = vi.spyOn(GPUDevice.prototype, 'createBuffer');
  const freed = vi.spyOn(GPUBuffer.prototype, 'destroy');
  vi.spyOn(GPUDevice.prototype, 'createBindGroup').mockImplementation(() => {
    throw new TypeError('refused');
  });
  try {
    const resizing = resize(picture(9, 9), { width: 5, height: 5 }, { device });
    await expect(resizing).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(made.mock.calls.length).toBeGreaterThan(8);
    expect(freed).toHaveBeenCalledTimes(made.mock.calls.length);
  } finally {
    vi.restoreAllMocks();
  }
});
