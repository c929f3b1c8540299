import { multiplyAddsPerPixel } from '../../src/graph/analysis.ts';
import type { Contender } from '../contender.ts';
import { ONNX_INPUT, ONNX_OUTPUT, writeOnnx } from '../onnx.ts';
import { toPlanar } from '../photo.ts';

/** The folder in which `npm run bench` serves onnxruntime-web's files. */
const FOLDER = './ort/';

/** The part of onnxruntime-web that the bench uses. */
interface OnnxRuntime {
  readonly env: { readonly wasm: { wasmPaths: string; numThreads: number } };
  readonly Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: { executionProviders: string[]; graphOptimizationLevel: 'all' },
    ): Promise<OrtSession>;
  };
}
interface OrtTensor {
  getData(): Promise<Float32Array>;
  dispose(): void;
}
interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** The build that the onnxruntime-web authors recommend for each provider. */
const FILES = { webgpu: 'ort.webgpu.min.mjs', wasm: 'ort.wasm.min.mjs' } as const;

/** Runs onnxruntime-web on WebGPU or, if `threads` is given, on the CPU. */
export function ortContender(threads?: number): Contender {
  const provider = threads === undefined ? 'webgpu' : 'wasm';
  return {
    engine: `ort-${provider}`,
    precision: 'f32',
    ...(threads !== undefined && { threads }),
    async open({ network, weights, image }) {
      // onnxruntime-web is not bundled, because it loads its other parts from its own folder.
      const folder = new URL(FOLDER, document.baseURI).href;
      // The module starts its threads only once. Each thread count therefore needs its own copy of
      // the module.
      const file = `${folder}${FILES[provider]}?threads=${threads}`;
      const ort: OnnxRuntime = await import(/* @vite-ignore */ file);
      ort.env.wasm.wasmPaths = folder;
      ort.env.wasm.numThreads = threads ?? 1;
      const session = await ort.InferenceSession.create(writeOnnx(network, weights), {
        executionProviders: [provider],
        graphOptimizationLevel: 'all',
      });
      const { inputRange } = network;
      const { width, height } = image;
      let last: Float32Array;
      return {
        async run() {
          const shape = [1, 3, height, width];
          const input = new ort.Tensor('float32', toPlanar(image, inputRange), shape);
          const { [ONNX_OUTPUT]: output } = await session.run({ [ONNX_INPUT]: input });
          last = await output.getData();
          output.dispose();
        },
        output: async () => last.map((value) => value / inputRange),
        ...(threads !== undefined && {
          cost: { multiplyAddsPerPixel: multiplyAddsPerPixel(network.graph) },
        }),
        close: () => session.release(),
      };
    },
  };
}
