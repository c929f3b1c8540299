import { describe, expect, it } from 'vitest';
import { multiplyAddsPerPixel } from '../../graph/analysis.ts';
import { asid } from '../../networks/asid.ts';
import type { Network } from '../../networks/network.ts';
import { omnisr } from '../../networks/omnisr.ts';
import { fuse } from './fuse.ts';
import { readsOf, writesOf } from './fused.ts';
import { lower } from './lower.ts';
import { merge } from './merge.ts';

const idOf = ({ graph }: Network, name: string): number =>
  graph.nodes.findIndex((node) => node.name === name);

const merged = ({ graph }: Network, keep = new Set<number>()) =>
  merge(fuse(graph, { fuse: 'ops', keep, image: {} }), keep);

const countOf = (network: Network, kind: string, keep?: Set<number>): number =>
  merged(network, keep).ops.filter(({ op }) => op === kind).length;

describe('merge', () => {
  it('leaves 40 dispatches of each block of an ASID', async () => {
    const { steps } = await lower(asid({ scale: 2 }).graph, { image: { range: 1 } });
    for (const block of [0, 1, 2]) {
      expect(steps.filter(({ name }) => name.startsWith(`block${block}.`)).length).toBe(40);
    }
    // Besides the 120 steps of the three blocks, there are eight at the two ends of the network:
    // two conversions, two affine ops, three convolutions and the pixel shuffle.
    expect(steps.length).toBe(128);
  });

  it.each([
    ['ASID', asid({ scale: 2 })],
    ['ASID of 12 features', asid({ scale: 2, features: 12 })],
    ['ASID whose blocks compute their own maps', asid({ scale: 2, shared: false })],
    ['OmniSR', omnisr({ scale: 2 })],
  ])('keeps the multiply-adds of %s, and writes values before they are read', (_, network) => {
    const { ops, inputs } = merged(network);
    const sum = ops.reduce((total, { multiplyAdds }) => total + multiplyAdds, 0);
    expect(sum / multiplyAddsPerPixel(network.graph)).toBeCloseTo(1, 10);
    const written = new Set(inputs);
    for (const op of ops) {
      for (const id of readsOf(op)) expect(written, op.name).toContain(id);
      for (const id of writesOf(op)) written.add(id);
    }
  });

  it('reads slices where they are, unless they must be written or begin within a vector', () => {
    const network = asid({ scale: 2 });
    const slices = [0, 1, 2].flatMap((block) =>
      [1, 2, 3].flatMap((step) => [
        `block${block}.LB${step}.left`,
        `block${block}.LB${step}.right`,
      ]),
    );
    expect(countOf(network, 'slice')).toBe(0);
    expect(countOf(network, 'view')).toBe(slices.length + 12);
    const kept = new Set([idOf(network, 'block1.LB2.left')]);
    expect(countOf(network, 'slice', kept)).toBe(1);
    // With 12 features, the result of each LB layer is split into its first 3 channels and the
    // rest. The rest begins in the middle of a vector of four channels, so it cannot be read in
    // place.
    const narrow = asid({ scale: 2, features: 12 });
    expect(countOf(narrow, 'slice')).toBeGreaterThan(0);
  });

  it('stops at values that must be written', () => {
    const network = asid({ scale: 2 });
    const attentions = countOf(network, 'normedAttention');
    expect(attentions).toBe(18);
    for (const name of ['block1.SLA1.mixed', 'block1.SLA1.norm', 'block1.SLA1.to_v']) {
      expect(countOf(network, 'normedAttention', new Set([idOf(network, name)]))).toBe(17);
    }
    const project = new Set([idOf(network, 'block2.gfn1.dwconv')]);
    expect(countOf(network, 'gatedProjection', project)).toBe(23);
    expect(countOf(network, 'gatedProjection')).toBe(24);
  });
});
