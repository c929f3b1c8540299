/**
 * What runs without a GPU, in a chunk of its own: networks in WebAssembly, or, where a page's policy
 * forbids that or the browser has no SIMD, by the oracle's plain loops.
 */
import { estimateMilliseconds } from '../cpu/estimate.ts';
import { CpuModel } from '../cpu/model.ts';
import { upscaleStrips } from '../cpu/upscale.ts';
import type { Pass } from '../engine/pipeline/enlarge.ts';
import { CrispenError } from '../errors.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { CPU_MAX_PIXELS } from './protocol.ts';

const loadOracle = () => import('../engine/oracle/interpreter.ts');

/**
 * A network as a pass on the CPU.
 * @throws CrispenError `MODEL_UNSUPPORTED`, `OUT_OF_MEMORY`; when it runs also `IMAGE_TOO_LARGE`, by
 * the oracle's loops
 */
export async function openOnCpu(network: Network, weights: TensorMap): Promise<Pass['run']> {
  const model = await withoutWasm(CpuModel.load(network, weights));
  if (!(model instanceof CpuModel)) return oraclePass(network, weights, model);
  return (image, options, sink) => upscaleStrips(model, image, options, sink);
}

/** Milliseconds that a network takes for an LR image. @throws CrispenError `INVALID_INPUT` */
export async function estimateOnCpu(
  network: Network,
  width: number,
  height: number,
): Promise<number> {
  const milliseconds = await withoutWasm(estimateMilliseconds(network, width, height));
  if (typeof milliseconds === 'number') return milliseconds;
  return (await loadOracle()).estimateCpuMilliseconds(network, width, height);
}

/** What was made, or why there is no WebAssembly. */
async function withoutWasm<T>(made: Promise<T>): Promise<T | CrispenError> {
  try {
    return await made;
  } catch (error) {
    if (error instanceof CrispenError && error.code === 'NO_WASM') return error;
    throw error;
  }
}

function oraclePass(network: Network, weights: TensorMap, reason: CrispenError): Pass['run'] {
  return async (image, options, sink) => {
    const { width, height } = image;
    if (width * height > CPU_MAX_PIXELS) {
      throw new CrispenError(
        'IMAGE_TOO_LARGE',
        `${width} x ${height} pixels are too many without WebAssembly. ${reason.message}`,
        { hint: `${reason.hint} Or choose Lanczos.` },
      );
    }
    if (options.edge !== undefined && options.edge !== 'zero') {
      throw new CrispenError('INVALID_INPUT', 'Edges cannot be chosen without WebAssembly.', {
        hint: reason.hint,
      });
    }
    const { image: whole, report } = await (await loadOracle()).upscaleOnCpu(
      network,
      weights,
      image,
      options,
    );
    await sink({ ...whole, y: 0 });
    return report;
  };
}
