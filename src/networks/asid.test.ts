import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { multiplyAddsPerPixel, parameterCount } from '../graph/analysis.ts';
import { readWeights } from '../weights/read.ts';
import { asid } from './asid.ts';
import { detect, recognise } from './detect.ts';

const shared = process.env.CRISPEN_SHARED ?? resolve(import.meta.dirname, '../../../shared');
const folder = join(shared, 'weights/checkpoints2');
if (!existsSync(folder)) console.warn(`SKIPPED: no ${folder}; set CRISPEN_SHARED to test it.`);

describe('ASID', () => {
  // The last two columns come from the authors' code: the number of parameters, and the
  // multiply-adds per pixel of a single tile. `multiplyAddsPerPixel` returns a slightly different
  // number, because it assumes that the reduced maps in the spatial gate are exactly a sixth as
  // wide and high as the tile. In fact, they are a little smaller.
  it.each([
    [2, 3, 297_516, 337_508],
    [3, 3, 304_011, 343_988],
    [4, 3, 313_104, 353_060],
    [2, 8, 732_146, 825_861],
    [4, 8, 747_734, 841_413],
  ])('x%i of %i blocks has the published size', (scale, blocks, parameters, multiplyAdds) => {
    const { graph } = asid({ scale, blocks });
    expect(parameterCount(graph)).toBe(parameters);
    expect(Math.abs(multiplyAddsPerPixel(graph) / multiplyAdds - 1)).toBeLessThan(6e-4);
  });

  it('computes attention maps once, and in every block if it is told to', () => {
    const maps = (shared: boolean) =>
      asid({ scale: 2, shared }).graph.nodes.filter(({ op }) => op === 'groupScores').length;
    expect(maps(true)).toBe(6);
    expect(maps(false)).toBe(18);
  });

  // After the number of blocks, each case lists the multiply-adds per pixel with and without shared
  // attention maps, and then the number of parameters with and without them. BENCHMARKS.md contains
  // these numbers.
  it.each([
    [3, 337_668, 372_228, 297_516, 316_344],
    [8, 826_288, 947_248, 732_146, 798_044],
  ])('of %i blocks shares attention maps', (blocks, shared, own, parameters, ownParameters) => {
    const count = (shared: boolean) => {
      const { graph } = asid({ scale: 2, blocks, shared });
      return [Math.round(multiplyAddsPerPixel(graph)), parameterCount(graph)];
    };
    expect(count(true)).toEqual([shared, parameters]);
    expect(count(false)).toEqual([own, ownParameters]);
  });

  it.skipIf(!existsSync(folder)).each([
    ['asid_x2_plain_zip.pth', 2, 3, 16],
    ['asid_x4_half_params_ema_legacy.pth', 4, 3, 16],
    ['asid_x3_d8_half_module_legacy.pth', 3, 8, 12],
  ])('is found in %s', async (file, scale, blocks, features) => {
    const { tensors } = await readWeights(readFileSync(join(folder, file)), recognise);
    const found = detect(tensors, { name: 'renamed-x7.pth' });
    expect(found).toMatchObject({ architecture: 'asid', scale, scaleSource: 'shapes' });
    const own = asid({ scale, blocks, features }).graph.weights;
    expect(found.network.graph.weights).toEqual(own);
    for (const { name, shape } of own) expect(found.weights.get(name)?.shape, name).toEqual(shape);
  });

  it.skipIf(!existsSync(folder))('is refused without position tables, by name', async () => {
    const file = join(folder, 'asid_x2_nope_half_params_zip.pth');
    const { tensors } = await readWeights(readFileSync(file), recognise);
    expect(() => detect(tensors)).toThrow(/ASID without position tables/);
  });
});
