import type { ElementType } from '../../kernels/kernel.ts';
import type { AdapterReport } from '../types.ts';

/**
 * The precision of maps and weights in memory. `auto`: f16 if it was measured to be safe, else f32.
 */
export type Precision = ElementType | 'auto';

/**
 * Chooses the precision. Software adapters gain nothing from f16.
 * @param measured whether these weights meet the bound in f16 (`npm run precision`)
 */
export const choosePrecision = (
  wish: Precision,
  measured: boolean | undefined,
  { features, isFallbackAdapter }: AdapterReport,
): ElementType => {
  if (wish !== 'auto') return wish;
  return measured && !isFallbackAdapter && features.includes('shader-f16') ? 'f16' : 'f32';
};
