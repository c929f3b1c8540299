/**
 * Tests bulk processing on GPUs: the number of compiled pipelines, and how several devices share
 * the work.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { tinyCheckpoint } from '../../../test/checkpoints/tiny.ts';
import { testGpu } from '../../../test/gpu.ts';
import { seededImage } from '../../../test/seeded.ts';
import { openGpu, openRealGpus } from '../../node/driver.ts';
import { upscaleCommand } from '../upscale.ts';

vi.mock('../../node/driver.ts', () => ({ openGpu: vi.fn(), openRealGpus: vi.fn() }));

const folder = mkdtempSync(join(tmpdir(), 'crispen-devices-'));
const at = (name: string) => join(folder, name);
const COUNT = 8;
const said: string[] = [];

beforeAll(async () => {
  writeFileSync(at('tiny.safetensors'), tinyCheckpoint(2));
  await mkdir(at('in'));
  for (let i = 0; i < COUNT; i++) {
    const { width, height, data } = seededImage(9 + 5 * i, 40 - 3 * i, i);
    await sharp(data, { raw: { width, height, channels: 4 } }).toFile(at(`in/${i}.png`));
  }
  vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)));
  vi.mocked(openGpu).mockImplementation(async () => testGpu());
});
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

async function run(input: string, out: string, ...args: string[]) {
  said.length = 0;
  const options = ['--out', at(out), '--weights', at('tiny.safetensors'), '--tune', 'off'];
  const code = await upscaleCommand([at(input), ...options, ...args]);
  return { code, last: said.at(-1) ?? '' };
}

/** Wraps a GPU and counts the submissions to its devices. */
function counted(gpu: GPU): { readonly gpu: GPU; submissions: number } {
  const requestAdapter: GPU['requestAdapter'] = async (options) => {
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) return null;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor);
      const submit = device.queue.submit.bind(device.queue);
      device.queue.submit = (buffers) => {
        self.submissions++;
        return submit(buffers);
      };
      return device;
    };
    return adapter;
  };
  const self = { gpu: { requestAdapter } as GPU, submissions: 0 };
  return self;
}

it('pictures of eight sizes compile what one compiles', async () => {
  const one = await run('in/0.png', 'one', '--device', 'gpu', '--json');
  const all = await run('in', 'all', '--device', 'gpu', '--json');
  expect(JSON.parse(all.last)).toMatchObject({ made: COUNT, failed: 0 });
  const { pipelines } = JSON.parse(one.last);
  expect(pipelines).toBeGreaterThan(2);
  expect(JSON.parse(all.last).pipelines).toBe(pipelines);
});

it('--device all: each GPU takes its share, and the results are those of one', async () => {
  const gpus = [counted(testGpu()), counted(testGpu())];
  vi.mocked(openRealGpus).mockResolvedValue(gpus.map(({ gpu }) => gpu));
  const { code } = await run('in', 'shared', '--device', 'all');
  expect(code).toBe(0);
  expect(said[0]).toMatch(/^8 pictures, on .* and .*\.$/);
  for (const { submissions } of gpus) expect(submissions).toBeGreaterThan(0);
  for (let i = 0; i < COUNT; i++) {
    const [shared, alone] = await Promise.all(
      ['shared', 'all'].map((name) =>
        sharp(at(`${name}/${i}.png`))
          .raw()
          .toBuffer(),
      ),
    );
    expect(shared.equals(alone)).toBe(true);
  }
});

it('--device all without a GPU is the CPU, and one picture takes no such device', async () => {
  vi.mocked(openRealGpus).mockResolvedValue([]);
  await run('in', 'cpu', '--device', 'all', '--threads', '1');
  expect(said[0]).toBe('8 pictures, on the CPU.');
  const one = upscaleCommand([at('in/0.png'), at('x.png'), '--device', 'all']);
  await expect(one).rejects.toThrow(/many pictures/);
});
