import type { Network } from '../../networks/network.ts';
import type { Program } from '../compile/program.ts';
import type { NetworkWeights } from '../compile/weights.ts';
import { type Device, USAGE } from './device.ts';
import { encodeElements } from './element.ts';
import type { Pipeline } from './pipelines.ts';
import { type Upload, upload } from './reading.ts';

/** The position of a packed weight in the model's single weight buffer. */
interface Span {
  readonly offset: number;
  readonly size: number;
}

/** A network on the GPU, with compiled pipelines and uploaded weights. */
export interface Model {
  readonly network: Network;
  readonly program: Program;
  readonly pipelines: readonly Pipeline[];
  readonly weights: GPUBuffer;
  readonly spans: ReadonlyMap<string, Span>;
}

/** Some kernels bind their weights as uniforms. */
const WEIGHTS = USAGE.STORAGE | USAGE.UNIFORM | USAGE.COPY_DST | USAGE.COPY_SRC;

/** Compiles a program's pipelines concurrently. A device compiles each kernel only once. */
export const compileSteps = (device: Device, { steps }: Program): Promise<Pipeline[]> =>
  Promise.all(steps.map(({ kernel }) => device.compile(kernel)));

/** Packs and uploads a program's weights while its kernels are being compiled. */
export async function uploadModel(
  device: Device,
  network: Network,
  program: Program,
  weights: NetworkWeights,
): Promise<Model> {
  const compiling = compileSteps(device, program);
  compiling.catch(() => {}); // The promise is awaited below, unless the upload fails first.
  const { minStorageBufferOffsetAlignment, minUniformBufferOffsetAlignment } = device.limits;
  const align = Math.max(minStorageBufferOffsetAlignment, minUniformBufferOffsetAlignment);
  const spans = new Map<string, Span>();
  const packed: Omit<Upload, 'buffer'>[] = [];
  let bytes = 0;
  for (const [key, { pack, element }] of program.constants) {
    const data = encodeElements(pack(weights), element);
    spans.set(key, { offset: bytes, size: data.byteLength });
    packed.push({ offset: bytes, data });
    bytes = Math.ceil((bytes + data.byteLength) / align) * align;
  }
  const buffer = await device.scoped('allocating the weights', () =>
    device.buffer('weights', bytes, WEIGHTS),
  );
  try {
    const parts = packed.map((part) => ({ buffer, ...part }));
    await upload(device, 'uploading the weights', parts);
    return { network, program, pipelines: await compiling, weights: buffer, spans };
  } catch (error) {
    buffer.destroy();
    throw error;
  }
}
