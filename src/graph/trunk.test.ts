import { describe, expect, it } from 'vitest';
import { a2n } from '../networks/a2n.ts';
import { edsrAcla } from '../networks/acla.ts';
import { lcoan } from '../networks/lcoan.ts';
import { receptiveField } from './reach.ts';
import { graphBehind, trunkEnd } from './trunk.ts';

const small = { features: 8, blocks: 4 };

describe('trunk', () => {
  it.each([
    ['lcoan x2', lcoan({ ...small, scale: 2, groups: 2, blocks: 1 }), 'body_sum', 2],
    ['lcoan x3', lcoan({ ...small, scale: 3, groups: 2, blocks: 1 }), 'body_sum', 2],
    ['lcoan x4', lcoan({ ...small, scale: 4, groups: 2, blocks: 1 }), 'body_sum', 2],
    ['edsr-acla x2', edsrAcla({ ...small, scale: 2 }), 'global_skip', 3],
    ['edsr-acla x1', edsrAcla({ ...small, scale: 1 }), 'global_skip', 2],
  ])('of %s ends with %s', (_, { graph }, name, radius) => {
    const cut = trunkEnd(graph) as number;
    expect(graph.nodes[cut].name).toBe(name);
    const end = graphBehind(graph, cut);
    expect(receptiveField(end)).toEqual({ radius, global: false });
    expect(end.nodes[end.output].name).toBe('output');
    expect(end.nodes.filter(({ op }) => op === 'input').map((node) => node.name)).toEqual([
      'input',
      name,
    ]);
    for (const node of end.nodes) {
      const before = graph.nodes.find((other) => other.name === node.name);
      const names = node.inputs.map((id) => end.nodes[id].name);
      if (node.op === 'input') expect(names).toEqual([]);
      else expect(names).toEqual(before?.inputs.map((id) => graph.nodes[id].name));
    }
  });

  it('is not looked for without attention to far pixels', () => {
    expect(trunkEnd(a2n({ scale: 2, features: 8, blocks: 2 }).graph)).toBeNull();
  });
});
