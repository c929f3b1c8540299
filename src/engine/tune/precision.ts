import type { ElementType } from '../../kernels/kernel.ts';
import type { AdapterReport } from '../types.ts';

/**
 * The precision of maps and weights in memory. `auto` selects f16 if the GPU supports it and
 * `npm run precision` has shown that the model's f16 results are accurate enough. Otherwise, it
 * selects f32.
 */
export type Precision = ElementType | 'auto';

/**
 * Chooses the precision. `auto` selects f32 on software adapters, which are not faster with f16.
 * @param measured whether `npm run precision` has shown that the model is accurate enough in f16
 */
export const choosePrecision = (
  wish: Precision,
  measured: boolean | undefined,
  { features, isFallbackAdapter }: AdapterReport,
): ElementType => {
  if (wish !== 'auto') return wish;
  return measured && !isFallbackAdapter && features.includes('shader-f16') ? 'f16' : 'f32';
};
