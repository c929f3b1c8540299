/**
 * Tests kernels that read a slice of a map's channels in place, without a copy. The slice's offset
 * in the GPU buffer depends on the tile size.
 */
import { expect, test } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { difference } from '../../../test/pictures.ts';
import { seededImage, seededWeights } from '../../../test/seeded.ts';
import { GraphBuilder } from '../../graph/graph.ts';
import { TransformerBuilder } from '../../graph/transformer.ts';
import type { Network } from '../../networks/network.ts';
import { Engine } from '../engine.ts';

/**
 * Builds a network with a layer normalisation. In networks without one, the compiler always copies
 * slices. Here, the normalisation reads a slice: the last 8 of a convolution's 16 channels.
 */
function sliced(): Network {
  const b = new GraphBuilder();
  const t = new TransformerBuilder(b);
  const conv = (name: string, x: number, kernel: 1 | 3, cOut: number) =>
    b.conv(name, x, { layer: name, kernel, cOut, bias: true });
  const x = conv('head', b.input('input', 3, { multiple: 8, least: 8 }), 3, 16);
  const part = t.slice('part', x, 8, 8);
  const normed = conv('layer', t.layerNorm('norm', part, 'norm', 1e-5), 1, 8);
  const graph = b.build(conv('output', b.add('sum', part, normed), 3, 3));
  return { architecture: 'sliced', scale: 1, inputRange: 1, graph };
}

test('tiles of several sizes in one arena read the same slices as the whole image', async () => {
  const engine = await Engine.create({ gpu: testGpu() });
  try {
    const network = sliced();
    const image = seededImage(56, 40, 3);
    const [merged, plain] = await Promise.all(
      (['ops', 'none'] as const).map((fuse) =>
        engine.loadModel(network, seededWeights(network), { fuse }),
      ),
    );
    const whole = await engine.upscale(plain, image);
    expect(new Set(whole.image.data).size).toBeGreaterThan(20);
    expect(merged.program.steps.length).toBeLessThan(plain.program.steps.length);
    const operands = merged.program.steps.flatMap(({ reads }) => reads);
    expect(operands.some((operand) => 'resource' in operand && operand.part)).toBe(true);
    for (const tileSize of [undefined, 24]) {
      const { image: own, report } = await engine.upscale(merged, image, {
        ...(tileSize && { tileSize }),
      });
      expect(report.tiles > 1).toBe(tileSize !== undefined);
      expect(difference(own, whole.image).worst).toBeLessThanOrEqual(1);
    }
  } finally {
    engine.destroy();
  }
});
