import { defineConfig } from 'vitest/config';

const GPU_TESTS = ['src/**/*.gpu.test.ts', 'test/**/*.gpu.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{src,test,demo,bench}/**/*.test.ts'],
          exclude: [...GPU_TESTS, 'src/**/*.f16.test.ts'],
          environment: 'node',
          // Some tests start processes, and a machine with two cores may be busy.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'gpu',
          include: GPU_TESTS,
          environment: 'node',
          globalSetup: 'test/gpu-setup.ts',
          // Dawn is an addon with its own threads: one process per file, one file at a time.
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'f16',
          // The kernel tests once more, with maps and weights in f16.
          include: ['src/**/*.f16.test.ts', 'src/kernels/**/*.gpu.test.ts'],
          env: { CRISPEN_ELEMENT: 'f16' },
          environment: 'node',
          globalSetup: 'test/f16-setup.ts',
          setupFiles: 'test/f16-kernels.ts',
          pool: 'forks',
          fileParallelism: false,
          // llvmpipe compiles kernels with barriers for a minute, on a busy machine for several.
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          environment: 'node',
          globalSetup: 'test/site-setup.ts',
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
