import { describe, expect, it } from 'vitest';
import { a2n } from '../networks/a2n.ts';
import { consumers, multiplyAddsPerPixel, parameterCount } from './analysis.ts';
import { GraphBuilder, GraphError } from './graph.ts';
import { receptiveField } from './reach.ts';
import { TransformerBuilder } from './transformer.ts';

describe('GraphBuilder', () => {
  it('infers shapes through enlargements and pooling', () => {
    const b = new GraphBuilder();
    const x = b.input('input', 3);
    const y = b.conv('y', b.nearest('n', x, 3), { layer: 'y', kernel: 3, cOut: 5, bias: true });
    expect(b.shape(y)).toEqual({ kind: 'map', channels: 5, scale: 3 });
    expect(b.shape(b.globalAveragePool('p', y))).toEqual({ kind: 'vector', length: 5 });
    expect(b.build(y).weights).toEqual([
      { name: 'y.weight', shape: [5, 3, 3, 3] },
      { name: 'y.bias', shape: [5] },
    ]);
  });

  it('refuses mismatched shapes, repeated names and vectors in place of maps', () => {
    const b = new GraphBuilder();
    const x = b.input('input', 3);
    const p = b.globalAveragePool('p', x);
    expect(() => b.add('a', x, b.nearest('n', x, 2))).toThrow(GraphError);
    expect(() => b.relu('input', x)).toThrow(/used twice/);
    expect(() => b.conv('c', p, { layer: 'c', kernel: 1, cOut: 1, bias: false })).toThrow(
      GraphError,
    );
    expect(() => b.mix('m', x, x, p)).toThrow(/two weights/);
  });

  it('refuses ops that the backends cannot apply to reduced maps', () => {
    const b = new GraphBuilder();
    const t = new TransformerBuilder(b);
    const x = b.input('input', 3);
    const small = t.maxPool('small', x, 7, 3);
    const layer = { layer: 'c', kernel: 3, cOut: 3, bias: true } as const;
    const large = t.resize('large', b.conv('c', small, layer), x);
    expect(b.shape(b.relu('r', large))).toEqual({ kind: 'map', channels: 3, scale: 1 });
    expect(() => b.globalAveragePool('p', small)).toThrow(/p: globalAveragePool .* reduced map/);
    expect(() => b.relu('s', small)).toThrow(GraphError);
  });
});

describe('analysis of A2N', () => {
  // Columns: variant, scale, parameters, multiply-adds per LR pixel, and radius of the receptive
  // field.
  it.each([
    ['a2n', 2, 1_036_443, 1_074_072, 36],
    ['a2n', 3, 1_036_443, 1_149_312, 35],
    ['a2n', 4, 1_047_459, 1_256_952, 36],
    ['a2nm', 2, 831_643, 869_272, 36],
    ['a2nm', 3, 831_643, 944_512, 35],
    ['a2nm', 4, 842_659, 1_052_152, 36],
  ] as const)('%s x%i', (variant, scale, parameters, multiplyAdds, radius) => {
    const { graph } = a2n({ variant, scale });
    expect(parameterCount(graph)).toBe(parameters);
    expect(multiplyAddsPerPixel(graph)).toBe(multiplyAdds);
    expect(receptiveField(graph)).toEqual({ radius, global: true });
    expect(graph.weights.length).toBe(scale === 4 ? 178 : 172);
  });

  it('counts a bilinear skip as reaching one pixel', () => {
    const b = new GraphBuilder();
    const x = b.input('input', 3);
    expect(receptiveField(b.build(b.bilinear('y', x, 2)))).toEqual({ radius: 1, global: false });
  });

  it('lists the readers of a node', () => {
    const { graph } = a2n({ scale: 2, blocks: 1 });
    const id = graph.nodes.findIndex((node) => node.name === 'block0.reduce_lrelu');
    expect(
      consumers(graph)
        .get(id)
        ?.map((i) => graph.nodes[i].name),
    ).toEqual(['block0.pooled', 'block0.att.k1', 'block0.att.k3', 'block0.non_attention_out']);
  });
});
