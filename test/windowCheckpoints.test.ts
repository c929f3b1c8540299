import { expect, test } from 'vitest';
import { checkpointsOf, detectRenamed, outputDifference } from './checkpoints2.ts';

const checkpoints = checkpointsOf('swinir', 'srformer', 'omnisr', 'dat').filter(
  ({ file }) => !(file.startsWith('dat') && file.includes('nobuffers')),
);

if (checkpoints.length === 0) test.skip('checkpoints of networks with windows', () => {});
test.each(checkpoints.map((one) => [one.file, one] as const))(
  '%s computes what it did in PyTorch',
  async (_, checkpoint) => {
    const found = await detectRenamed(checkpoint);
    expect(found).toMatchObject({ architecture: checkpoint.arch, scale: checkpoint.scale });
    const difference = await outputDifference(checkpoint, found);
    expect(difference).toBeLessThan(checkpoint.expected_output_difference + 3e-6);
  },
  60_000,
);
