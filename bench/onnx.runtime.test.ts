/** Checks that an independent runtime computes the same results from the exported files. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findGoldenCases, readGoldenCase } from '../src/cli/golden-cases.ts';
import { paddedInput, tracedMap } from '../src/engine/oracle/trace.ts';
import { toFloat32 } from '../src/weights/convert.ts';
import { maxAbsDifference } from './measure.ts';
import { ONNX_INPUT, ONNX_OUTPUT, writeOnnx } from './onnx.ts';

const RUNTIME = new URL('node_modules/onnxruntime-web/dist/ort.node.min.mjs', import.meta.url);

interface Runtime {
  readonly env: { readonly wasm: { numThreads: number } };
  readonly Tensor: new (type: string, data: Float32Array, shape: readonly number[]) => object;
  readonly InferenceSession: {
    create(model: Uint8Array): Promise<{
      run(feeds: object): Promise<Record<string, { data: Float32Array; dims: number[] }>>;
    }>;
  };
}

/** The golden files for networks whose ops the writer supports. */
const files = findGoldenCases('*').filter(
  (file) =>
    file.includes('test/golden') && /^(tiny|compact|span|rrdb|edsr)_(?!cla)/.test(basename(file)),
);

describe.skipIf(!existsSync(RUNTIME))(
  'onnxruntime (skipped unless npm ci was run in bench/)',
  () => {
    it.each(files.map((file) => [basename(file, '.safetensors'), file]))(
      'computes %s as its authors do',
      async (_, file) => {
        const ort: Runtime = await import(/* @vite-ignore */ RUNTIME.href);
        ort.env.wasm.numThreads = 1;
        const golden = await readGoldenCase(file);
        if ('missing' in golden) throw new Error(`no network ${golden.missing}`);
        const { network, weights } = golden;
        const [, , height, width] = golden.input.shape;
        const input = { width, height, data: toFloat32(golden.input) };
        const map = paddedInput(network, input);
        const session = await ort.InferenceSession.create(writeOnnx(network, weights));
        const shape = [1, map.channels, map.height, map.width];
        const feeds = { [ONNX_INPUT]: new ort.Tensor('float32', map.data, shape) };
        const { [ONNX_OUTPUT]: output } = await session.run(feeds);
        const [, channels, outHeight, outWidth] = output.dims;
        const whole = { channels, height: outHeight, width: outWidth, data: output.data };
        const cropped = tracedMap(network, network.graph.output, whole as typeof map, input);
        const wanted = toFloat32(golden.expected.get('output')!);
        const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(largest).toBeGreaterThan(0);
        expect(maxAbsDifference(cropped.data, wanted)).toBeLessThan(2e-5 * largest);
      },
    );
  },
);
