import { beforeEach, expect } from 'vitest';

// Tests of kernels that are run in f16 know nothing of it: without a driver they skip here.
if (process.env.CRISPEN_NO_F16 && expect.getState().testPath?.endsWith('.gpu.test.ts')) {
  console.warn(
    'SKIPPED: no adapter with shader-f16 (lavapipe 25 would do): kernels in f16 untested',
  );
  beforeEach(({ skip }) => skip('no adapter with shader-f16'));
}
