import { expect, it } from 'vitest';
import { soakInNode } from './soakNode.ts';

it('40 images in Node: right, and nothing is left behind', async () => {
  const said: string[] = [];
  const { wrong, stuck, untyped, held, flat } = await soakInNode(40, 20, (text) => said.push(text));
  expect([wrong, stuck, untyped], said.join('\n')).toEqual([0, 0, 0]);
  expect(held.last.buffers).toBe(held.first.buffers);
  expect(flat, said.join('\n')).toBe(true);
});
