import { fitsMatrix, type MatrixUnit } from '../../kernels/conv/convMatrix.ts';

/** The matrix configurations that Dawn reports in addition to the standard info. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }>;
}

/**
 * Returns the sizes of the matrices that kernels use on an adapter, or undefined if the adapter
 * supports no suitable sizes. The matrices are f16, and sums are f32. The adapter must have a fixed
 * subgroup size, because kernels divide a workgroup into subgroups of that size. The function
 * prefers the smallest `N`, which adds the fewest padding channels to the output. Among sizes with
 * the same `N`, it prefers the largest `K`, because a smaller `K` runs at half the rate.
 * @param bytes the workgroup memory that kernels may use
 */
export function matrixUnit(
  { info, features }: Pick<GPUAdapter, 'info' | 'features'>,
  bytes: number,
): MatrixUnit | undefined {
  const { subgroupMinSize: subgroup, subgroupMaxSize } = info;
  const { subgroupMatrixConfigs: units } = info as MatrixInfo;
  if (!units || !subgroup || subgroup !== subgroupMaxSize || !features.has('shader-f16')) return;
  const fitting = [...units]
    .filter((unit) => unit.componentType === 'f16' && unit.resultComponentType === 'f32')
    .map(({ M, N, K }) => ({ m: M, n: N, k: K }))
    .filter(fitsMatrix)
    .sort((a, b) => a.n - b.n || b.k - a.k || b.m - a.m);
  const [best] = fitting;
  if (!best) return;
  const isRest = ({ m, n, k }: typeof best) => m === best.m && n === best.n && k < best.k;
  return { ...best, rest: fitting.find(isRest)?.k ?? 0, subgroup, bytes };
}
