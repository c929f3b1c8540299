import { describe, expect, it } from 'vitest';
import { multiplyAddsPerPixel } from '../../graph/analysis.ts';
import { GraphBuilder } from '../../graph/graph.ts';
import { type ConvVariant, plainConv } from '../../kernels/conv/conv.ts';
import { a2n } from '../../networks/a2n.ts';
import { lcoan } from '../../networks/lcoan.ts';
import { planProgram } from '../gpu/arena.ts';
import { lower } from './lower.ts';
import type { Program } from './program.ts';

const image = { range: 255 };
const fuse = 'blocks';
const names = (program: Program) => program.steps.map(({ name }) => name);

describe('lower', () => {
  it.each([
    [2, 40],
    [3, 40],
    [4, 42],
  ] as const)(
    'takes A2N x%i to %i dispatches, two of them per block',
    async (scale, dispatches) => {
      const program = await lower(a2n({ scale }).graph, { image, fuse });
      expect(program.steps.length).toBe(dispatches);
      for (let i = 0; i < 16; i++) {
        expect(names(program).filter((name) => name.startsWith(`block${i}.`))).toEqual(
          // The last step of a block also computes the next block's first convolution, and sums
          // up the convolution's results for pooling. No block precedes block 0, so block 0 has
          // two additional steps for this work.
          i === 0
            ? [
                'block0.reduce_lrelu',
                'block0.reduce_lrelu:partials',
                'block0.att.gated',
                'block0.out',
              ]
            : [`block${i}.att.gated`, `block${i}.out`],
        );
      }
    },
  );

  it('computes the same multiply-adds fused and unfused, each node once', async () => {
    const { graph } = a2n({ scale: 2 });
    for (const fuse of ['none', 'ops', 'blocks'] as const) {
      const { steps } = await lower(graph, { image, fuse });
      expect(steps.reduce((sum, step) => sum + step.multiplyAdds, 0)).toBe(
        multiplyAddsPerPixel(graph),
      );
    }
    // Without fusion, there is one dispatch per op except the input, a second dispatch per pooling
    // op, and two conversions.
    const { steps } = await lower(graph, { image, fuse: 'none' });
    expect(steps.length).toBe(graph.nodes.length - 1 + 16 + 2);
  });

  it('moves seven feature maps per block: 1,120 bytes per LR pixel', async () => {
    const program = await lower(a2n({ scale: 2 }).graph, { image, fuse });
    const size = { width: 512, height: 512 };
    const block = program.steps.filter(({ name }) => name.startsWith('block7.'));
    const bytes = block
      .flatMap(({ reads, writes }) => [
        ...reads.flatMap((operand) => ('resource' in operand ? [operand.resource] : [])),
        ...writes,
      ])
      .reduce((sum, id) => sum + program.resources[id].bytes(size), 0);
    // The bytes beyond 1,120 are partial sums for pooling. Writing them moves 160 bytes per 64
    // pixels, and reading them moves another 160.
    const sums = bytes / (512 * 512) - 1120;
    expect(sums).toBeGreaterThan(0);
    expect(sums).toBeLessThan(6);
  });

  it('stops fusing at nodes that are to be seen, and writes them', async () => {
    const { graph } = a2n({ scale: 2, blocks: 2 });
    const id = graph.nodes.findIndex(({ name }) => name === 'block0.mix_lrelu');
    const program = await lower(graph, { keep: new Set([id]), fuse });
    expect(program.resourceOf.has(id)).toBe(true);
    expect(names(program)).toContain('block0.mix_lrelu');
    // Block 1, which does not contain the kept node, is still fused.
    expect(names(program).filter((name) => name.startsWith('block1.'))).toEqual([
      'block1.reduce_lrelu',
      'block1.reduce_lrelu:partials',
      'block1.att.gated',
      'block1.out',
    ]);
  });

  it('writes every resource before it is read, whatever is kept', async () => {
    const { graph } = a2n({ scale: 4, blocks: 2 });
    for (let keep = 0; keep < graph.nodes.length; keep++) {
      const program = await lower(graph, { keep: new Set([keep]), fuse });
      const written = new Set([program.input]);
      for (const { reads, writes } of program.steps) {
        for (const operand of reads) {
          if ('resource' in operand) expect(written.has(operand.resource)).toBe(true);
        }
        for (const id of writes) written.add(id);
      }
      expect(written.has(program.resourceOf.get(keep) ?? -1)).toBe(true);
    }
  });

  it('never gives one slot to a buffer that is written and another of the same dispatch', async () => {
    const program = await lower(a2n({ scale: 3 }).graph, { image, fuse });
    const { slotOf } = planProgram(program, { width: 33, height: 21 });
    for (const { reads, writes } of program.steps) {
      const read = reads.flatMap((operand) => ('resource' in operand ? [operand.resource] : []));
      const slots = [...new Set(read), ...writes]
        .filter((id) => !program.resources[id].external)
        .map((id) => slotOf[id]);
      expect(new Set(slots).size).toBe(slots.length);
    }
  });

  it('does not fuse a product of a convolution with itself', async () => {
    const b = new GraphBuilder();
    const x = b.input('input', 3);
    const y = b.conv('y', x, { layer: 'y', kernel: 3, cOut: 3, bias: true });
    const program = await lower(b.build(b.mul('square', y, y)));
    expect(names(program)).toEqual(['y', 'square']);
  });

  it('uploads weights once for each way in which kernels read them', async () => {
    const b = new GraphBuilder();
    const x = b.input('input', 8);
    const layer = { layer: 'shared', kernel: 3, cOut: 8, bias: true, shared: true } as const;
    const y = b.relu('relu', b.conv('y', x, layer));
    const graph = b.build(b.conv('z', b.conv('again', y, layer), layer));
    // All three convolutions have the same weights. Only the one with an activation reads them in
    // reverse order.
    const reversed: ConvVariant = {
      ...plainConv,
      packing: { name: 'reversed', arrange: (packed) => packed.reverse() },
    };
    const program = await lower(graph, { conv: ({ act0 }) => (act0 ? reversed : plainConv) });
    const weights = program.steps.map(({ reads }) => reads[1] as { constant: string });
    expect(weights[1]).toEqual(weights[2]);
    const w = Float32Array.from({ length: 8 * 8 * 9 }, (_, i) => i);
    const [first, second] = weights.map(({ constant }) =>
      program.constants.get(constant)?.pack(new Map([['shared.weight', w]])),
    );
    expect(first).toEqual(second?.toReversed());
    expect(first).not.toEqual(second);
  });

  it('lowers non-local attention, whoever asks: its emitters are loaded with the graph', async () => {
    const { graph } = lcoan({
      scale: 2,
      features: 8,
      groups: 1,
      blocks: 1,
      clusters: 4,
      window: 4,
    });
    const { steps } = await lower(graph, { image });
    expect(names({ steps } as Program)).toContain('group0.attended');
  });
});
