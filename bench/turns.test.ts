import { expect, it } from 'vitest';
import { pan } from '../src/networks/pan.ts';
import { picture } from '../test/pictures.ts';
import { seededWeights } from '../test/seeded.ts';
import { inTurn } from './turns.ts';

it('times pictures by each network, in the order given', async () => {
  const tasks = [4, 40].map((features) => {
    const network = pan({ scale: 2, features, blocks: 2 });
    return { name: `${features} features`, network, weights: seededWeights(network) };
  });
  const [few, many] = await inTurn('cpu', tasks, picture(128, 128), 3);
  expect([few.name, many.name]).toEqual(['4 features', '40 features']);
  expect(few.milliseconds).toBeGreaterThan(0);
  expect(many.cpuMilliseconds).toBeGreaterThan(few.cpuMilliseconds);
});
