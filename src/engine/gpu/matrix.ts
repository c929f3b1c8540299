import { fitsMatrix, type MatrixUnit } from '../../kernels/conv/convMatrix.ts';

/** Dawn's report, beyond the standard. */
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
 * The matrices that kernels can use on an adapter: f16 with f32 sums, and subgroups of a fixed
 * size, because that size divides a workgroup. If there are several, the one with the least channel padding.
 */
export function matrixUnit({
  info,
  features,
}: Pick<GPUAdapter, 'info' | 'features'>): MatrixUnit | undefined {
  const { subgroupMinSize: subgroup, subgroupMaxSize } = info;
  const { subgroupMatrixConfigs: units } = info as MatrixInfo;
  if (!units || !subgroup || subgroup !== subgroupMaxSize || !features.has('shader-f16')) return;
  return [...units]
    .filter((unit) => unit.componentType === 'f16' && unit.resultComponentType === 'f32')
    .map(({ M, N, K }) => ({ m: M, n: N, k: K, subgroup }))
    .filter(fitsMatrix)
    .sort((a, b) => a.n + a.k - (b.n + b.k))[0];
}
