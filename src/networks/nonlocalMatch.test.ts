import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readWeights } from '../weights/read.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { Tensor, TensorMap } from '../weights/tensor.ts';
import { writeSafetensors } from '../weights/writeSafetensors.ts';
import { type Detection, detect, recognise } from './detect.ts';

/** Returns the weights in a golden file, with the names used in the authors' checkpoints. */
function released(name: string): Map<string, Tensor> {
  const { tensors } = readSafetensors(readFileSync(`test/golden/${name}.safetensors`));
  return new Map(
    [...tensors]
      .filter(([tensor]) => tensor.startsWith('weights.'))
      .map(([tensor, value]) => [tensor.slice('weights.'.length), value]),
  );
}

const prefixed = (tensors: TensorMap, prefix: string): TensorMap =>
  new Map([...tensors].map(([name, tensor]) => [prefix + name, tensor]));

/**
 * Returns the names of the network's weights that are missing from `weights` or have a different
 * shape there.
 */
const bindable = ({ network, weights }: Detection): string[] =>
  network.graph.weights
    .filter(({ name, shape }) => weights.get(name)?.shape.join() !== shape.join())
    .map(({ name }) => name);

describe('released-style checkpoints', () => {
  it.each([
    ['lcoan_tiny_x2_9x7', 'lcoan', 2, 1],
    ['lcoan_tiny_x3_8x8_rounds2', 'lcoan', 3, 1],
    ['lcoan_tiny_x4_11x9_red2', 'lcoan', 4, 1],
    ['edsr_cla_tiny_x2_9x7', 'edsr-acla', 2, 1],
    ['edsr_cla_tiny_x3_10x7_k9', 'edsr-acla', 3, 1],
    ['edsr_cla_tiny_x4_8x6_dp', 'edsr-acla', 4, 1],
  ])('%s, plain and wrapped', async (name, architecture, scale, inputRange) => {
    for (const prefix of ['', 'module.', 'netG.', 'model.']) {
      const bytes = writeSafetensors(prefixed(released(name), prefix), {});
      const { tensors } = await readWeights(bytes as Uint8Array<ArrayBuffer>, recognise);
      const found = detect(tensors, { name: 'renamed-x7.pth' });
      expect(found).toMatchObject({ architecture, scale, inputRange, scaleSource: 'shapes' });
      expect(found.assumptions.length).toBeGreaterThan(0);
      expect(bindable(found)).toEqual([]);
    }
  });

  it('reads sizes from shapes', () => {
    const { network } = detect(released('lcoan_tiny_x4_11x9_red2'));
    const codes = network.graph.nodes.find(({ name }) => name === 'shared.similarity');
    expect(codes).toMatchObject({ spec: { rounds: 1, clusters: 5 } });
    const embedding = network.graph.nodes.find(({ name }) => name === 'group0.match_embedding');
    expect(embedding?.shape).toMatchObject({ channels: 4 });
  });

  it('searches for centroids where the file has none', () => {
    const tensors = released('lcoan_tiny_x2_9x7');
    const searches = (map: TensorMap) =>
      detect(map).network.graph.nodes.some(({ name }) => name.startsWith('kmeans_init'));
    expect(searches(tensors)).toBe(false);
    const flag = tensors.get('body.0.attention.0.kmeans.initted') as Tensor;
    tensors.set('body.0.attention.0.kmeans.initted', { ...flag, bytes: new Uint8Array([0]) });
    expect(searches(tensors)).toBe(true);
  });

  it('takes what a file cannot tell from options', () => {
    const nodes = (name: string, options: Parameters<typeof detect>[1]) =>
      detect(released(name), options).network.graph.nodes;
    const window = nodes('lcoan_tiny_x2_9x7', { window: 16 }).find(
      ({ name }) => name === 'shared.score',
    );
    expect(window).toMatchObject({ spec: { window: 16 } });
    const usual = nodes('lcoan_tiny_x2_9x7', {}).find(({ name }) => name === 'shared.score');
    expect(usual).toMatchObject({ spec: { window: 384 } });
    const sampled = (options: Parameters<typeof detect>[1]) =>
      nodes('edsr_cla_tiny_x2_9x7', options).find(({ name }) => name === 'stage0.attention_out');
    expect(sampled({})).toMatchObject({ spec: { offsets: 'paired' } });
    expect(sampled({ offsets: 'released' })).toMatchObject({ spec: { offsets: 'released' } });
    const spread = nodes('edsr_cla_tiny_x4_8x6_dp', { depthwise: true });
    expect(spread.some(({ name }) => name === 'stage0.depthwise')).toBe(true);
  });

  it('knows the adaptive gate, and its readings', () => {
    const tensors = released('edsr_cla_tiny_x2_9x7');
    for (let t = 0; t < 4; t++) {
      for (const part of ['weight', 'bias']) {
        const logits = tensors.get(`cla.${t}.conv_attn.0.${part}`) as Tensor;
        tensors.set(`cla.${t}.mask_unit.${part}`, logits);
      }
    }
    const gate = (options: Parameters<typeof detect>[1]) => {
      const found = detect(tensors, options);
      expect(bindable(found)).toEqual([]);
      return found.network.graph.nodes.find(({ name }) => name === 'stage0.attention_weights');
    };
    expect(gate({})).toMatchObject({ spec: { gate: 'exclude' } });
    expect(gate({ gate: 'zero' })).toMatchObject({ spec: { gate: 'zero' } });
  });

  it('restores at scale 1 where there is no upsampler', () => {
    const tensors = released('edsr_cla_tiny_x2_9x7');
    for (const name of [...tensors.keys()]) if (name.startsWith('tail.1.')) tensors.delete(name);
    const found = detect(tensors);
    expect(found).toMatchObject({ architecture: 'edsr-acla', scale: 1 });
    expect(bindable(found)).toEqual([]);
  });
});
