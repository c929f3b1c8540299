/**
 * Runs networks without WebAssembly, using the reference implementation in plain JavaScript. This
 * module is loaded lazily.
 */
import { upscaleOnCpu } from '../engine/oracle/interpreter.ts';
import type { Pass } from '../engine/pipeline/enlarge.ts';
import { CrispenError } from '../errors.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { CPU_MAX_PIXELS } from './protocol.ts';

export { estimateCpuMilliseconds } from '../engine/oracle/interpreter.ts';

/** @param reason the reason why WebAssembly is unavailable */
export function oraclePass(
  network: Network,
  weights: TensorMap,
  reason: CrispenError,
): Pass['run'] {
  return async (image, options, sink) => {
    const { width, height } = image;
    if (width * height > CPU_MAX_PIXELS) {
      throw new CrispenError(
        'IMAGE_TOO_LARGE',
        `${width} x ${height} pixels are too many without WebAssembly. ${reason.message}`,
        { hint: `${reason.hint} Or choose the method lanczos.` },
      );
    }
    if (options.edge !== undefined && options.edge !== 'zero') {
      throw new CrispenError('INVALID_INPUT', 'Without WebAssembly, the edge cannot be chosen.', {
        hint: reason.hint,
      });
    }
    const { image: whole, report } = await upscaleOnCpu(network, weights, image, options);
    await sink({ ...whole, y: 0 });
    return { ...report, threads: 1, slow: true };
  };
}
