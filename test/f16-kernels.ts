import { beforeEach, expect } from 'vitest';

// The kernel tests are the same for f16 and f32. Without an f16 driver, they are skipped here.
if (process.env.CRISPEN_NO_F16 && expect.getState().testPath?.endsWith('.gpu.test.ts')) {
  console.warn(
    'SKIPPED: no adapter with shader-f16 (lavapipe 25 would do): kernels in f16 untested',
  );
  beforeEach(({ skip }) => skip('no adapter with shader-f16'));
}
