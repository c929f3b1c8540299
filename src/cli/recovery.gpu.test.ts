/**
 * Tests that the command-line tool continues after a device loss and reports it, and that it fails
 * with `DEVICE_LOST` if every device is lost.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { FaultyGpu } from '../../test/faults/gpu.ts';
import { testGpu } from '../../test/gpu.ts';
import { seededImage, seededWeights } from '../../test/seeded.ts';
import { compact } from '../networks/compact.ts';
import { openGpu } from '../node/driver.ts';
import { writeSafetensors } from '../weights/writeSafetensors.ts';
import { upscaleCommand } from './upscale.ts';

vi.mock('../node/driver.ts', () => ({ openGpu: vi.fn() }));

const folder = mkdtempSync(join(tmpdir(), 'crispen-recovery-'));
const at = (name: string) => join(folder, name);
const said: string[] = [];

beforeAll(async () => {
  const network = compact({ scale: 2, features: 8, blocks: 2 });
  writeFileSync(at('tiny.safetensors'), writeSafetensors(seededWeights(network)));
  const { width, height, data } = seededImage(24, 24, 3);
  await sharp(data, { raw: { width, height, channels: 4 } })
    .png()
    .toFile(at('in.png'));
  vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)));
});
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** Runs the command `crispen` with tiles of 8 x 8 pixels. */
async function run(faulty: FaultyGpu, output: string, ...more: string[]): Promise<Buffer> {
  vi.mocked(openGpu).mockResolvedValue(faulty.gpu);
  said.length = 0;
  const args = [at('in.png'), at(output), '--weights', at('tiny.safetensors'), '--tile', '8'];
  expect(await upscaleCommand([...args, '--device', 'gpu', ...more])).toBe(0);
  return readFileSync(at(output));
}

/** Creates a GPU whose device is lost at submission number `index`, counting from 0. */
const losing = (index: number) =>
  new FaultyGpu(testGpu(), { call: 'GPUQueue.submit', index, mode: 'loss' });

it('writes the same file after losses, and says so', async () => {
  const clean = new FaultyGpu(testGpu(), null);
  const right = await run(clean, 'right.png', '--json');
  expect(JSON.parse(said[0])).toMatchObject({ recovered: [], tiles: 9 });
  const submits = clean.calls.filter(({ call }) => call === 'GPUQueue.submit').length;
  expect(submits).toBeGreaterThan(9);
  for (const index of [0, submits >> 1, submits - 2]) {
    const faulty = losing(index);
    const made = await run(faulty, 'lost.png', '--json');
    expect(faulty.fired).toBe(true);
    expect(made.equals(right)).toBe(true);
    expect(JSON.parse(said[0]).recovered).toEqual(['device-lost']);
  }
  await run(losing(submits >> 1), 'told.png');
  expect(said).toContain(
    'The GPU was lost during the work, which went on from the last finished rows.',
  );
});

it('resizes on another device, too', async () => {
  const scale = ['--scale', '1.7'];
  const clean = new FaultyGpu(testGpu(), null);
  const right = await run(clean, 'right.png', ...scale);
  const submits = clean.calls.filter(({ call }) => call === 'GPUQueue.submit').length;
  for (const index of [submits >> 1, submits - 1]) {
    const faulty = losing(index);
    expect((await run(faulty, 'lost.png', ...scale)).equals(right)).toBe(true);
    expect(faulty.fired).toBe(true);
  }
});

it('ends in DEVICE_LOST and leaves no file where every device is lost', async () => {
  const { gpu } = new FaultyGpu(testGpu(), null);
  const broken = {
    requestAdapter: async (options: GPURequestAdapterOptions) => {
      const adapter = (await gpu.requestAdapter(options)) as GPUAdapter;
      const requestDevice = adapter.requestDevice.bind(adapter);
      return Object.create(adapter, {
        info: { value: adapter.info },
        features: { value: adapter.features },
        limits: { value: adapter.limits },
        requestDevice: {
          value: async (descriptor: GPUDeviceDescriptor) => {
            const device = await requestDevice(descriptor);
            device.destroy();
            return device;
          },
        },
      }) as GPUAdapter;
    },
  } as unknown as GPU;
  vi.mocked(openGpu).mockResolvedValue(broken);
  const args = [at('in.png'), at('none.png'), '--weights', at('tiny.safetensors')];
  await expect(upscaleCommand([...args, '--device', 'gpu'])).rejects.toMatchObject({
    code: 'DEVICE_LOST',
  });
  expect(() => readFileSync(at('none.png'))).toThrow('ENOENT');
});
