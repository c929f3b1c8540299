import { CrispenError } from '../errors.ts';
import { fromFloat32, toFloat32 } from './convert.ts';
import type { Tensor, TensorMap } from './tensor.ts';

const REAL: ReadonlySet<string> = new Set(['f64', 'f32', 'bf16']);

/**
 * Converts floating-point tensors to f16, rounding to nearest. Other tensors are unchanged.
 * @throws CrispenError `INVALID_INPUT` if a tensor contains a finite value that is too large for
 *   f16. The message names the tensor.
 */
export function halve(tensors: TensorMap): TensorMap {
  const result = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    if (!REAL.has(tensor.dtype)) {
      result.set(name, tensor);
      continue;
    }
    const values = toFloat32(tensor);
    // Magnitudes of 65520 and above round to infinity. f64 values are checked in f64, because a
    // large finite value becomes infinite in f32.
    const exact = tensor.dtype === 'f64' ? f64Values(tensor) : values;
    const large = exact.find((v, i) => Math.abs(values[i]) >= 65520 && Number.isFinite(v));
    if (large !== undefined) {
      throw new CrispenError(
        'INVALID_INPUT',
        `${name} contains ${large}, which is too large for f16.`,
        {
          hint: 'Keep the element type: leave --f16 out.',
        },
      );
    }
    result.set(name, fromFloat32(values, tensor.shape, 'f16'));
  }
  return result;
}

function f64Values({ bytes }: Tensor): Float64Array {
  // The bytes are copied, because they might not start at a multiple of 8. The method `slice` of a
  // Node Buffer would not copy them.
  return new Float64Array(new Uint8Array(bytes).buffer);
}
