import { defineConfig } from 'vitest/config';

const GPU_TESTS = ['src/**/*.gpu.test.ts', 'test/**/*.gpu.test.ts'];
const OTHER_TESTS = [...GPU_TESTS, 'src/**/*.f16.test.ts'];

/** Unit tests that bound times, also of the processor: each has the machine to itself. */
const TIMED_TESTS = [
  'src/codecs/hostile.test.ts',
  'src/cpu/{crew,estimate,model,tiles}.test.ts',
  'src/networks/hostile.test.ts',
  'src/node/images.test.ts',
  'src/weights/{fuzz,safetensors}.test.ts',
  'src/weights/torch/{pickle,unwrap}.test.ts',
  'test/fuzz/fuzz.test.ts',
];

/**
 * Kernels that llvmpipe compiles for a minute each where it has no AVX-512 and has not compiled them before:
 * only with `CRISPEN_LARGE=1`, as f16-setup.ts says aloud.
 */
const SLOW_IN_F16 = [
  'src/cli/precision.f16.test.ts',
  'src/engine/f16.f16.test.ts',
  'src/kernels/{attention,conv,maps,nonlocal,transformer}/*.test.ts',
];

/** By default one core stays free, which on a machine with two is half of it. */
const TOGETHER = { maxWorkers: '100%', sequence: { groupOrder: 0 } };
/**
 * One file at a time, after those that share the machine. A software adapter keeps every core busy, so
 * two files at once would take no less time.
 */
const ALONE = { fileParallelism: false, sequence: { groupOrder: 1 } };

// Some tests start processes, and a machine with two cores may be busy.
const UNIT = { environment: 'node', testTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...UNIT,
          ...TOGETHER,
          name: 'unit',
          include: ['{src,test,demo,bench}/**/*.test.ts'],
          exclude: [...OTHER_TESTS, ...TIMED_TESTS],
        },
      },
      { test: { ...UNIT, ...ALONE, name: 'unit-timed', include: TIMED_TESTS } },
      {
        test: {
          ...ALONE,
          name: 'gpu',
          include: GPU_TESTS,
          environment: 'node',
          globalSetup: 'test/gpu-setup.ts',
          // Dawn is an addon with its own threads: one process per file.
          pool: 'forks',
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          ...ALONE,
          name: 'f16',
          // The kernel tests once more, with maps and weights in f16.
          include: ['src/**/*.f16.test.ts', 'src/kernels/**/*.gpu.test.ts'],
          exclude: process.env.CRISPEN_LARGE ? [] : SLOW_IN_F16,
          env: { CRISPEN_ELEMENT: 'f16' },
          environment: 'node',
          globalSetup: 'test/f16-setup.ts',
          setupFiles: 'test/f16-kernels.ts',
          pool: 'forks',
          // llvmpipe compiles kernels with barriers for a minute, on a busy machine for several.
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          ...ALONE,
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          environment: 'node',
          globalSetup: 'test/site-setup.ts',
          pool: 'forks',
          // The browser and the software adapter share the cores, so measurements and waits may end too
          // late on a busy machine. `npm test` lists each test that needed its second try.
          retry: 1,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
