import { afterAll, expect, it } from 'vitest';
import { patience } from '../../test/patience.ts';
import { picture } from '../../test/pictures.ts';

import { findGoldenCases, readGoldenCases, SEEDED_GOLDENS } from '../cli/golden-cases.ts';
import { chooseModel } from '../node/model.ts';
import { openCrew } from '../node/threads.ts';
import { type BandThread, Crew } from './crew.ts';
import { CpuModel } from './model.ts';
import { compileModule, instantiate, makeMemory } from './module.ts';
import { upscale } from './upscale.ts';

const crew = openCrew(3);
afterAll(() => crew.close());

/**
 * Prepares the crew to run tasks. `memory` contains the tasks' data, and `run` divides the rows of
 * a task among the crew's threads. `own` returns how many rows of `sums` tasks the host thread has
 * processed itself.
 */
async function watched() {
  const module = await compileModule(undefined, true);
  const memory = makeMemory(2 ** 20, true);
  const functions = await instantiate(module, memory);
  let own = 0;
  const sums = (record: number, from: number, to: number) => {
    own += to - from;
    functions.sums(record, from, to);
  };
  return { run: crew.serve(module, memory, { ...functions, sums }), memory, own: () => own };
}

async function golden(pattern: string) {
  const file = findGoldenCases(pattern).find((path) => path.startsWith(SEEDED_GOLDENS));
  const found = await readGoldenCases(file ?? pattern);
  if ('missing' in found) throw new Error(`no network ${found.missing}`);
  return found[0];
}

it('divides the rows of a task among its threads, each once', async () => {
  const { run, memory, own } = await watched();
  const [rows, at, x, y] = [4000, 64, 4096, 2 ** 19];
  const numbers = new Float32Array(memory.buffer);
  new Uint32Array(memory.buffer).set([x, 16, y, 1, 16], at / 4);
  for (let i = 0; i < rows * 4; i++) numbers[x / 4 + i] = i;
  let all = 0;
  // The other threads need time to start, so the task is repeated until one of them takes rows.
  for (let round = 0; round < 2000 && own() === all; round++) {
    numbers.fill(-1, y / 4, y / 4 + rows * 4);
    run({ fn: 'sums', record: at, rows }, 0, rows);
    all += rows;
    const written = numbers.subarray(y / 4, y / 4 + rows * 4);
    expect(written.every((value, i) => value === i)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(own()).toBeLessThan(all);
});

it.each([
  'tiny_a2n_x4_8x8',
  'compact_x2_11x7',
  'span_x2_11x7',
  'rrdb_x2_unshuffle_13x9_pad',
  'edsr_x2*',
  'lcoan_*',
])('%s on three threads equals one, bit for bit', async (name) => {
  const { network, weights } = await golden(name);
  const alone = await CpuModel.load(network, weights);
  const together = await CpuModel.load(network, weights, { crew });
  for (const image of [picture(1, 1), picture(67, 41, true), picture(5, 90)]) {
    const expected = await upscale(alone, image);
    const actual = await upscale(together, image);
    expect(actual.image).toEqual(expected.image);
  }
});

it('serves models in turn, whole and in tiles', async () => {
  const found = await Promise.all(['a2n-x2', 'pan-x2'].map((model) => chooseModel({ model })));
  const pairs = await Promise.all(
    found.map(async ({ network, weights }) => ({
      alone: await CpuModel.load(network, weights),
      together: await CpuModel.load(network, weights, { crew }),
    })),
  );
  for (const tileSize of [100, 24, 100]) {
    for (const { alone, together } of pairs) {
      const image = picture(50, 40);
      const { image: expected } = await upscale(alone, image, { tileSize });
      expect((await upscale(together, image, { tileSize })).image).toEqual(expected);
    }
  }
});

it.each([
  ['memory of its own', null],
  ['shared memory', 1],
  ['shared memory', 2],
] as const)(
  'stops within 100 ms amid a layer of a large image: %s, %s threads',
  { retry: 3 },
  async (_, threads) => {
    const { network, weights } = await chooseModel({ model: 'a2n-x2' });
    const own = threads === null ? undefined : openCrew(threads);
    const model = await CpuModel.load(network, weights, { crew: own });
    const controller = new AbortController();
    // One of A2N's layers with 40 channels takes 150 ms for this image on a fast core. If the
    // computation blocks the event loop, the timer below fires late. This delay must count too, so
    // `late` is measured from the time when the timer was due.
    const wait = 500;
    const due = performance.now() + wait;
    setTimeout(() => controller.abort(), wait);
    const running = upscale(model, picture(600, 500), { signal: controller.signal });
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    const late = performance.now() - due;
    expect(late).toBeGreaterThanOrEqual(-1);
    expect(late).toBeLessThan(patience(100));
    const image = picture(9, 8);
    const { image: expected } = await upscale(await CpuModel.load(network, weights), image);
    expect((await upscale(model, image)).image).toEqual(expected);
    own?.close();
  },
);

it('works with threads that never start', async () => {
  const sent: unknown[] = [];
  const absent: BandThread = { send: (seat) => void sent.push(seat), terminate: () => {} };
  const { network, weights } = await golden('compact_x2_11x7');
  const lonely = await CpuModel.load(network, weights, { crew: new Crew(3, () => absent) });
  const { image } = await upscale(await CpuModel.load(network, weights), picture(20, 20));
  expect((await upscale(lonely, picture(20, 20))).image).toEqual(image);
  expect(sent).toHaveLength(2);
});

it('says so when a thread fails, and goes on', async () => {
  const { run, memory } = await watched();
  // The task's input starts at the end of the memory, so reading it fails.
  new Uint32Array(memory.buffer).set([memory.buffer.byteLength, 16, 2 ** 19, 1, 16], 16);
  expect(() => run({ fn: 'sums', record: 64, rows: 9 }, 0, 9)).toThrow();
  const { network, weights } = await golden('compact_x2_11x7');
  const model = await CpuModel.load(network, weights, { crew });
  expect((await upscale(model, picture(9, 9))).image.width).toBe(18);
});
