/**
 * This program runs in Deno, which uses the same WebGPU implementation (wgpu) as Firefox. It
 * compiles every kernel, compares networks with the oracle, and prints one line of JSON.
 */
import { Engine } from '../../src/engine/engine.ts';
import { upscaleOnCpu } from '../../src/engine/oracle/interpreter.ts';
import { EXAMPLES } from '../../src/kernels/examples.ts';
import {
  type Architecture,
  createNetwork,
  type NetworkConfigs,
} from '../../src/networks/registry.ts';
import { fromFloat32 } from '../../src/weights/convert.ts';
import type { TensorMap } from '../../src/weights/tensor.ts';
import { randomStream } from '../random.ts';

/** Matches kernels that need a feature that Firefox's WebGPU lacks. */
const NEEDS = /quad|matrix/i;

const NETWORKS: readonly (readonly [Architecture, NetworkConfigs[Architecture]])[] = [
  ['compact', { scale: 2, features: 8, blocks: 2 }],
  ['compact', { scale: 3, features: 6, blocks: 1, activation: 'relu' }],
  ['a2n', { scale: 2, features: 8, upsamplerFeatures: 4, blocks: 1, reduction: 4, inputRange: 1 }],
  ['a2nm', { scale: 4, features: 8, upsamplerFeatures: 4, blocks: 1, reduction: 4, inputRange: 1 }],
  ['pan', { scale: 4, features: 8, upsamplerFeatures: 4, blocks: 1 }],
  ['span', { scale: 2, features: 8 }],
  ['edsr', { scale: 2, features: 8, blocks: 2 }],
  ['esrgan', { scale: 4, features: 8, growth: 4, blocks: 1 }],
  ['lcoan', { scale: 2, features: 8, groups: 2, blocks: 1, clusters: 4, window: 32 }],
  ['asid', { scale: 2, features: 16, blocks: 1 }],
];

const random = randomStream(7);

function seeded(graph: { weights: readonly { name: string; shape: readonly number[] }[] }) {
  const tensors: TensorMap = new Map(
    graph.weights.map(({ name, shape }) => {
      const length = shape.reduce((product, side) => product * side, 1);
      const bound = Math.sqrt((3 * (shape[0] ?? 1)) / length);
      const values = Float32Array.from({ length }, () => (2 * random() - 1) * bound);
      return [name, fromFloat32(values, shape, 'f32')] as const;
    }),
  );
  return tensors;
}

const result = {
  adapter: '',
  compiled: 0,
  refused: [] as string[],
  /**
   * For each network, the share of samples that differ from the oracle, and the largest difference
   * in levels.
   */
  networks: [] as { name: string; share: number; worst: number }[],
};

const adapter = await navigator.gpu?.requestAdapter();
if (adapter) {
  result.adapter = `${adapter.info.vendor} ${adapter.info.description}`;
  const device = await adapter.requestDevice();
  for (const [shader, variants] of Object.entries(EXAMPLES)) {
    for (const [variant, make] of Object.entries(variants)) {
      if (NEEDS.test(`${shader} ${variant}`)) continue;
      const name = `${shader} (${variant})`;
      device.pushErrorScope('validation');
      const module = device.createShaderModule({ code: make('f32').code });
      try {
        await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
        result.compiled++;
      } catch (error) {
        result.refused.push(`${name}: ${error}`);
      }
      const error = await device.popErrorScope();
      if (error) result.refused.push(`${name}: ${error.message}`);
    }
  }
  device.destroy();
  const [width, height] = [20, 13];
  const data = Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : 256 * random(),
  );
  const image = { width, height, data };
  const engine = await Engine.create({ gpu: navigator.gpu });
  for (const [architecture, config] of NETWORKS) {
    const network = createNetwork(architecture, config);
    const weights = seeded(network.graph);
    const model = await engine.loadModel(network, weights);
    const made = await engine.upscale(model, image);
    const wanted = await upscaleOnCpu(network, weights, image);
    const differences = wanted.image.data.map((value, i) => Math.abs(value - made.image.data[i]));
    result.networks.push({
      name: `${architecture} x${network.scale}`,
      share: differences.filter((value) => value > 0).length / differences.length,
      worst: differences.reduce((most, value) => Math.max(most, value), 0),
    });
    await engine.unloadModel(model);
  }
  engine.destroy();
}
console.log(JSON.stringify(result));
