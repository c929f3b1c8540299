import { fitsMatrix, type MatrixUnit } from '../../kernels/conv/convMatrix.ts';

/** What Dawn reports beside the standard. */
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
 * The matrices that kernels can use on an adapter: of f16 with sums in f32, by subgroups that always
 * have one size, since a workgroup is cut into them by it. Of several the one that pads channels least.
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
