import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import {
  compareGolden,
  FUSED_OUTPUT,
  findGoldenCases,
  isOff,
  readGoldenCases,
} from '../src/cli/golden-cases.ts';
import { Engine } from '../src/engine/engine.ts';
import { interpret } from '../src/engine/oracle/interpreter.ts';
import { trace } from '../src/engine/oracle/traceNetwork.ts';
import { a2n } from '../src/networks/a2n.ts';
import { edsrAcla } from '../src/networks/acla.ts';
import { detect } from '../src/networks/detect.ts';
import { lcoan } from '../src/networks/lcoan.ts';
import { DIV2K_MEAN } from '../src/networks/parts/mean.ts';
import type { Backend } from '../src/node/backend.ts';
import { fromFloat32 } from '../src/weights/convert.ts';
import { testGpu } from './gpu.ts';
import { expectClose, randomValues } from './kernels.ts';

let engine: Engine;
/** An engine with so little memory that it must compute attention weights slab by slab. */
let small: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
  small = await Engine.create({ gpu: testGpu(), memoryBudget: 16 * 1024 });
});
afterAll(() => {
  engine.destroy();
  small.destroy();
});

const backendOf = (on: Engine): Pick<Backend, 'trace'> => ({
  trace: (...args) => trace(on, ...args),
});

const TOLERANCE = 5e-4;
const names = (glob: string) =>
  findGoldenCases(glob).filter((file) => file.includes('test/golden'));

test.each([...names('lcoan_tiny*'), ...names('acla_*'), ...names('edsr_cla_tiny*')])(
  '%s on the GPU',
  async (file) => {
    const cases = await readGoldenCases(file);
    if ('missing' in cases) throw new Error(`${cases.name}: no network ${cases.missing}`);
    for (const golden of cases) {
      const comparisons = await compareGolden(golden, backendOf(engine), { fuse: true });
      const expected = [...golden.expected.keys()];
      const fused = golden.expected.has('output') ? [FUSED_OUTPUT] : [];
      expect(comparisons.map(({ tensor }) => tensor)).toEqual([...expected, ...fused]);
      expect(comparisons.filter((comparison) => isOff(comparison, TOLERANCE))).toEqual([]);
      // Orders and codes are integers, and these files contain no close decisions, so they must be
      // equal.
      const whole = comparisons.filter(({ tensor }) => /codes|order/.test(tensor));
      expect(whole.filter(({ maxAbs }) => maxAbs !== 0)).toEqual([]);
    }
  },
);

describe('restoration at scale 1', () => {
  const networks = {
    a2n: a2n({ scale: 1, features: 8, blocks: 2 }),
    'edsr-acla': edsrAcla({ scale: 1, features: 8, blocks: 4, keys: 3, inputRange: 1 }),
  };
  it.each(Object.entries(networks))(
    '%s: the GPU agrees, and weights tell it',
    async (name, network) => {
      const weights = new Map(
        network.graph.weights.map(({ name: tensor, shape }, i) => {
          const values = randomValues(
            shape.reduce((a, b) => a * b, 1),
            i + 1,
          );
          return [
            tensor,
            fromFloat32(
              values.map((v) => v * 0.3),
              shape,
              'f32',
            ),
          ] as const;
        }),
      );
      const found = detect(weights);
      expect(found).toMatchObject({ architecture: name, scale: 1, scaleSource: 'shapes' });
      const input = { width: 9, height: 7, data: randomValues(189, 3) };
      const [cpu, gpu] = await Promise.all([
        interpret(network, weights, input, ['output']),
        trace(engine, network, weights, input, ['output'], { fuse: 'ops' }),
      ]);
      const expected = cpu.get('output')!;
      expect(expected.shape).toEqual([3, 7, 9]);
      expectClose(gpu.get('output')!.data, expected.data, { abs: 1e-4, rel: 1e-4 });
      // With all weights at zero, A2N returns its input, and ACLA returns the mean colour.
      const nothing = new Map(
        network.graph.weights.map(({ name: tensor, shape }) => [
          tensor,
          fromFloat32(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape, 'f32'),
        ]),
      );
      const kept = await trace(engine, network, nothing, input, ['output'], { fuse: 'ops' });
      const left =
        name === 'a2n' ? input.data : input.data.map((_, i) => DIV2K_MEAN[Math.floor(i / 63)]);
      expectClose(kept.get('output')!.data, left, { abs: 1e-6, rel: 0 });
    },
  );

  it('upscales an image by one', async () => {
    const network = networks.a2n;
    const nothing = new Map(
      network.graph.weights.map(({ name: tensor, shape }) => [
        tensor,
        fromFloat32(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape, 'f32'),
      ]),
    );
    const model = await engine.loadModel(network, nothing);
    const data = Uint8ClampedArray.from({ length: 11 * 6 * 4 }, (_, i) => (i * 91) % 256);
    const { image } = await engine.upscale(model, { width: 11, height: 6, data });
    expect(image).toEqual({ width: 11, height: 6, data });
    await engine.unloadModel(model);
  });
});

describe('LCoAN', () => {
  const config = {
    scale: 2,
    features: 8,
    groups: 2,
    blocks: 1,
    clusters: 5,
    window: 16,
  };
  const weightsOf = (network: ReturnType<typeof lcoan>) =>
    new Map(
      network.graph.weights.map(({ name, shape }, i) => {
        const values = randomValues(
          shape.reduce((a, b) => a * b, 1),
          i + 1,
        );
        const bound = Math.sqrt(3 / (values.length / shape[0]));
        return [
          name,
          fromFloat32(
            values.map((v) => v * bound),
            shape,
            'f32',
          ),
        ] as const;
      }),
    );
  const inputOf = (width: number, height: number) => ({
    width,
    height,
    data: randomValues(3 * width * height, 7).map((v) => (v + 1) / 2),
  });
  const outputOf = async (
    on: Engine,
    network: ReturnType<typeof lcoan>,
    input: ReturnType<typeof inputOf>,
  ) => (await trace(on, network, weightsOf(network), input, ['output'])).get('output')!.data;

  it.each([
    ['one pixel', 1, 1],
    ['less than half a window', 3, 2],
    ['a window exactly', 4, 4],
    ['one pixel more', 17, 1],
    ['several windows and a rest', 11, 9],
  ])('of %s, kept and in slabs', async (_, width, height) => {
    const input = inputOf(width, height);
    for (const rounds of [1, 2]) {
      const network = lcoan({ ...config, rounds });
      const expected = await interpret(network, weightsOf(network), input, ['output']);
      const kept = await outputOf(engine, network, input);
      expectClose(kept, expected.get('output')!.data, { abs: 1e-4, rel: 1e-4 });
      // The sums are computed in the same order, so all bits are equal.
      expect(await outputOf(small, network, input)).toEqual(kept);
    }
  });

  it('finds its centroids where a checkpoint has none', async () => {
    const network = lcoan({ ...config, initialised: false });
    const input = inputOf(9, 8);
    const expected = await interpret(network, weightsOf(network), input, ['output']);
    const actual = await outputOf(engine, network, input);
    expectClose(actual, expected.get('output')!.data, { abs: 1e-4, rel: 1e-4 });
  });

  it.each([true, false])(
    'stays finite on a constant image, initialised: %s',
    async (initialised) => {
      const network = lcoan({ ...config, initialised });
      for (const value of [0, 1]) {
        const input = { ...inputOf(10, 7), data: new Float32Array(210).fill(value) };
        const output = await outputOf(engine, network, input);
        expect(output.every(Number.isFinite)).toBe(true);
      }
    },
  );

  it('gives the same bits twenty times', async () => {
    const network = lcoan({ ...config, initialised: false, rounds: 2 });
    const input = inputOf(13, 9);
    const first = await outputOf(engine, network, input);
    for (let i = 1; i < 20; i++) expect(await outputOf(engine, network, input)).toEqual(first);
  });

  it('upscales an image, and says how tiles were clustered', async () => {
    const network = lcoan(config);
    const model = await engine.loadModel(network, weightsOf(network));
    const data = Uint8ClampedArray.from({ length: 24 * 20 * 4 }, (_, i) => (i * 37) % 256);
    const image = { width: 24, height: 20, data };
    const whole = await engine.upscale(model, image);
    expect(whole.report).toMatchObject({ tiles: 1, statistics: 'exact' });
    expect(new Set(whole.image.data).size).toBeGreaterThan(10);
    const tiled = await engine.upscale(model, image, { tileSize: 12 });
    expect(tiled.report.tiles).toBeGreaterThan(1);
    // The network runs on the whole image up to its last attention layer, so codes and order are
    // the same as for the whole image.
    expect(tiled.report.approximate).toBe(false);
    expect(tiled.image.data).toEqual(whole.image.data);
    const around = await engine.upscale(model, image, { tileSize: 12, edge: 'wrap' });
    expect(around.report.approximate).toBe(true);
    await engine.unloadModel(model);
  });
});
