import type { ElementType } from '../../kernels/kernel.ts';
import type { AdapterReport } from '../types.ts';

/** Of maps and weights in memory. `auto`: f16 where it is known to serve, else f32. */
export type Precision = ElementType | 'auto';

/**
 * Software adapters gain nothing by f16.
 * @param measured whether these weights were found to keep to the bound in f16 (`npm run precision`)
 */
export const choosePrecision = (
  wish: Precision,
  measured: boolean | undefined,
  { features, isFallbackAdapter }: AdapterReport,
): ElementType => {
  if (wish !== 'auto') return wish;
  return measured && !isFallbackAdapter && features.includes('shader-f16') ? 'f16' : 'f32';
};
