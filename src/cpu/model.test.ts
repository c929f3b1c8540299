import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { patience } from '../../test/patience.ts';
import { difference, picture } from '../../test/pictures.ts';
import { MODEL_FILES } from '../catalog/files.ts';
import { findGoldenCases, readGoldenCases, SEEDED_GOLDENS } from '../cli/golden-cases.ts';
import { interpret, upscaleOnCpu } from '../engine/oracle/interpreter.ts';
import type { RgbaImage } from '../image/image.ts';
import { chooseModel } from '../node/model.ts';
import { fromFloat32, toFloat32 } from '../weights/convert.ts';
import { CpuModel } from './model.ts';
import { traceOnCpu } from './trace.ts';
import { upscale, upscaleStrips } from './upscale.ts';

const goldens = ['tiny_*', 'compact_*', 'span_*', 'rrdb_*', 'edsr_*', 'lcoan_*', 'acla_*']
  .flatMap((pattern) => findGoldenCases(pattern))
  .filter((file) => file.startsWith(SEEDED_GOLDENS));

/**
 * Finds the golden file in test/golden that matches `pattern`, and reads its networks. A file for
 * non-local attention can contain several networks. All other files contain one.
 */
async function goldensOf(pattern: string) {
  const file = findGoldenCases(pattern).find((path) => path.startsWith(SEEDED_GOLDENS));
  const found = await readGoldenCases(file ?? pattern);
  if ('missing' in found) throw new Error(`no network ${found.missing}`);
  return found;
}
const golden = async (pattern: string) => (await goldensOf(pattern))[0];

const loadShipped = (model: string) => chooseModel({ model });

describe('seeded goldens', () => {
  it.each(goldens.map((file) => [basename(file), file]))(
    '%s is within 1e-5 of the largest magnitude of what the oracle computes',
    async (_, file) => {
      const cases = await goldensOf(basename(file, '.safetensors'));
      for (const { network, weights, input } of cases) {
        const [height, width] = input.shape.slice(-2);
        const planar = { width, height, data: toFloat32(input) };
        const { graph } = network;
        const { name } = graph.nodes[graph.output];
        const model = await CpuModel.load(network, weights);
        const actual = (await traceOnCpu(model, planar, [name])).get(name);
        const expected = (await interpret(network, weights, planar, [name])).get(name);
        expect(actual?.shape).toEqual(expected?.shape);
        const largest = Math.max(...(expected?.data.map(Math.abs) ?? []));
        const off = expected?.data.map((v, i) => Math.abs(v - (actual?.data[i] ?? Number.NaN)));
        expect(Math.max(...(off ?? [Number.NaN])) / largest).toBeLessThan(1e-5);
        expect(model.slow).toBe(/lcoan|cla/.test(file));
      }
    },
  );
});

describe('shipped models on pixels', () => {
  it.each(MODEL_FILES.map(({ id }) => id))('%s agrees with the oracle', async (id) => {
    const { network, weights } = await loadShipped(id);
    const model = await CpuModel.load(network, weights);
    for (const image of [picture(13, 10, true), picture(1, 1), picture(2, 5), picture(5, 1)]) {
      const { image: actual, report } = await upscale(model, image);
      const wanted = (await upscaleOnCpu(network, weights, image)).image;
      const { worst, share } = difference(actual, wanted);
      expect(worst).toBeLessThanOrEqual(1);
      expect(share).toBeLessThanOrEqual(0.001);
      expect(report).toMatchObject({ backend: 'cpu', tiles: 1, statistics: 'exact' });
    }
  });

  // The next test excludes these networks. LCoAN and ACLA attend to distant pixels, so tiles
  // change their results. ASID always runs in overlapping tiles and averages their results.
  const far = ['lcoan', 'edsr-acla', 'asid'];
  const local = MODEL_FILES.filter(({ network }) => !far.includes(network));
  it.each(local.map(({ id }) => id))('%s in tiles equals the whole', async (id) => {
    const { network, weights } = await loadShipped(id);
    const model = await CpuModel.load(network, weights);
    const image = picture(117, 19);
    const whole = await upscale(model, image);
    const tiled = await upscale(model, image, { tileSize: 100 });
    expect(whole.report.tiles).toBe(1);
    expect(tiled.report.tiles).toBeGreaterThan(1);
    expect(tiled.report).toMatchObject({ statistics: 'exact', approximate: false });
    const { worst, share } = difference(tiled.image, whole.image);
    expect(worst).toBeLessThanOrEqual(1);
    expect(share).toBeLessThanOrEqual(0.001);
  });

  it('takes and gives 16 bits', async () => {
    const { network, weights } = await golden('compact_x2_11x7');
    const { width, height, data } = picture(11, 9, true);
    const image = { width, height, data: Uint16Array.from(data, (v, i) => v * 257 - (i % 3)) };
    const model = await CpuModel.load(network, weights);
    const { image: actual } = await upscale(model, image as RgbaImage);
    const expected = (await upscaleOnCpu(network, weights, image as RgbaImage)).image;
    expect(actual.data).toBeInstanceOf(Uint16Array);
    actual.data.forEach((v, i) => {
      expect(Math.abs(v - expected.data[i])).toBeLessThanOrEqual(2);
    });
  });
});

it('results say that plain loops ran non-local ops', async () => {
  for (const [name, slow] of [
    ['lcoan_tiny*', true],
    ['compact_x2_11x7', undefined],
  ] as const) {
    const { network, weights } = await golden(name);
    const model = await CpuModel.load(network, weights);
    expect((await upscale(model, picture(20, 12))).report.slow).toBe(slow);
  }
});

describe('tiles', () => {
  it.each([
    ['compact_x2_11x7', 16],
    ['rrdb_x2_unshuffle_13x9_pad', 45],
    ['span_x2_11x7', 32],
    // For each tile, this network needs the channel means of the whole image.
    ['tiny_a2n_x4_8x8', 24],
  ])('%s in tiles of %i equals the whole', async (name, tileSize) => {
    const { network, weights } = await golden(name);
    const image = picture(131, 67, true);
    const model = await CpuModel.load(network, weights);
    const whole = await upscale(model, image);
    const tiled = await upscale(model, image, { tileSize });
    expect(whole.report.tiles).toBe(1);
    expect(tiled.report.tiles).toBeGreaterThan(3);
    expect(tiled.report).toMatchObject({ statistics: 'exact', approximate: false });
    const { worst, share } = difference(tiled.image, whole.image);
    expect(worst).toBeLessThanOrEqual(1);
    expect(share).toBeLessThanOrEqual(0.001);
  });

  it('keeps to the memory budget, with estimated means where it has to', async () => {
    const { network, weights } = await golden('tiny_a2n_x4_8x8');
    const image = picture(300, 200);
    const model = await CpuModel.load(network, weights);
    const memoryBudget = model.bytes({ width: 160, height: 120 }, 'pooling');
    const { report } = await upscale(model, image, { memoryBudget });
    const [width, height] = report.tileSize;
    expect(report.tiles).toBeGreaterThan(1);
    expect(report.statistics).toBe('estimated');
    expect(model.bytes({ width, height })).toBeLessThanOrEqual(memoryBudget);
    // The same budget must suffice for a larger image, whose means are computed from a smaller
    // share of its pixels. Only whole WebAssembly pages (64 KiB) can be allocated, so the model's
    // memory may exceed the budget by one page.
    const large = await upscale(model, picture(500, 400), { memoryBudget });
    expect(large.report.statistics).toBe('estimated');
    expect(model.held).toBeLessThanOrEqual(memoryBudget + 65536);
    await expect(upscale(model, image, { memoryBudget: 1000 })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
    });
  });
});

describe('a job', () => {
  it('reports progress to the end, and hands strips over from top to bottom', async () => {
    const { network, weights } = await golden('compact_x2_11x7');
    const model = await CpuModel.load(network, weights);
    const fractions: number[] = [];
    const rows: number[] = [];
    const onProgress = ({ fraction }: { fraction: number }) => fractions.push(fraction);
    await upscaleStrips(model, picture(40, 60), { tileSize: 16, onProgress }, ({ y }) => {
      rows.push(y);
    });
    expect(rows).toEqual([...rows].sort((a, b) => a - b));
    expect(rows.length).toBeGreaterThan(2);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    expect(fractions.length).toBeGreaterThan(10);
  });

  it('stops soon after being cancelled, and the next one is right', { retry: 3 }, async () => {
    const { network, weights } = await loadShipped('a2n-x2');
    const model = await CpuModel.load(network, weights);
    const controller = new AbortController();
    // If the computation blocks other events, the timer itself is late. The delay is therefore
    // measured from the time at which the timer was due.
    const due = performance.now() + 300;
    const running = upscale(model, picture(300, 300), { signal: controller.signal });
    setTimeout(() => controller.abort(), 300);
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    expect(performance.now()).toBeGreaterThanOrEqual(due - 1);
    // Without the cancellation, the job would take seconds. On an idle machine, a cancelled job
    // ends within 100 ms.
    expect(performance.now() - due).toBeLessThan(patience(200));
    const image = picture(9, 8);
    const { image: after } = await upscale(model, image);
    const { image: fresh } = await upscale(await CpuModel.load(network, weights), image);
    expect(after).toEqual(fresh);
  });

  // The WebAssembly module has no functions for the attention, norms or large kernels of these
  // networks, so these ops run in JavaScript loops.
  it.each([
    ['lcoan_tiny_x2_9x7', 160],
    ['edsr_cla_tiny_x2_9x7', 192],
    ['asid_x2_21x19', 64],
    ['dat_light_x2_13x10', 64],
    ['swinir_x2_direct_21x18', 96],
    ['realplksr_x2_dysample_11x9', 128],
  ])('lets other events in while loops run %s', { retry: 3 }, async (name, side) => {
    const { network, weights } = await golden(name);
    const model = await CpuModel.load(network, weights);
    let last = process.cpuUsage();
    let longest = 0;
    const turn = () => {
      // On a busy machine, the time between two timer events is longer, but the CPU time is not.
      const { user, system } = process.cpuUsage(last);
      longest = Math.max(longest, (user + system) / 1000);
      last = process.cpuUsage();
    };
    const timer = setInterval(turn, 1);
    const { report } = await upscale(model, picture(side, side));
    clearInterval(timer);
    turn();
    expect(report.slow).toBe(true);
    expect(longest).toBeLessThan(100);
  });

  it('refuses values that are none and images that are none, and goes on', async () => {
    const { network, weights } = await golden('compact_x2_11x7');
    const [name, tensor] = [...weights].find(([key]) => key.endsWith('.bias')) ?? [];
    if (name === undefined || tensor === undefined) throw new Error('no bias');
    const values = new Float32Array(tensor.shape[0]).fill(Number.POSITIVE_INFINITY);
    const broken = new Map([...weights, [name, fromFloat32(values, tensor.shape, 'f32')]]);
    const bad = await CpuModel.load(network, broken);
    await expect(upscale(bad, picture(9, 9))).rejects.toMatchObject({ code: 'NON_FINITE' });
    const model = await CpuModel.load(network, weights);
    const short = { width: 9, height: 9, data: new Uint8ClampedArray(12) };
    await expect(upscale(model, short)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect((await upscale(model, picture(9, 9))).image.width).toBe(18);
  });
});
