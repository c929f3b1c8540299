import { beforeEach, expect } from 'vitest';

// The kernel tests do not know that they run in f16. Without a driver they are skipped here.
if (process.env.CRISPEN_NO_F16 && expect.getState().testPath?.endsWith('.gpu.test.ts')) {
  console.warn(
    'SKIPPED: no adapter with shader-f16 (lavapipe 25 would do): kernels in f16 untested',
  );
  beforeEach(({ skip }) => skip('no adapter with shader-f16'));
}
