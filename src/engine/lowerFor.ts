import type { NodeId } from '../graph/graph.ts';
import type { ElementType } from '../kernels/kernel.ts';
import type { Network } from '../networks/network.ts';
import type { Fusion } from './compile/fuse.ts';
import { lower } from './compile/lower.ts';
import type { Program } from './compile/program.ts';
import type { Device } from './gpu/device.ts';
import type { Methods, Tuning } from './tune/tuning.ts';

/** The device that will run a lowered network, with its tuning and memory budget. */
export interface LoweringTarget {
  readonly device: Device;
  readonly tuning: Tuning;
  /** How many bytes of GPU buffers a job may allocate. */
  readonly memoryBudget: number;
}

export interface NetworkOptions {
  /** The fusion level. By default, it is the level that the tuning specifies. */
  readonly fuse?: Fusion | undefined;
  /** The element type of feature maps and weights in memory. The default is f32. */
  readonly precision?: ElementType | undefined;
  /** The nodes whose values must be written to memory. */
  readonly keep?: ReadonlySet<NodeId> | undefined;
  /**
   * If set, the input and output are pixels with 8 or 16 (`wide`) bits per sample. If null, they
   * are feature maps.
   */
  readonly image: { readonly wide: boolean } | null;
}

const MAX_DEFAULT_BUDGET = 2 ** 30;

/**
 * Returns the default memory budget: the device's maximum buffer size, but at most 1 GiB. A device
 * does not report how much memory it has.
 */
export const defaultBudget = ({ limits }: Device): number =>
  Math.min(MAX_DEFAULT_BUDGET, limits.maxBufferSize);

/** Returns a tuning's kernel variants and fusion level for maps of the given element type. */
export const methodsFor = (tuning: Tuning, element: ElementType): Methods =>
  (element === 'f16' && tuning.half) || tuning;

/**
 * Lowers a network for a device and its tuning. All code that runs networks on a GPU uses this
 * function.
 * @throws CrispenError `INVALID_INPUT` for f16 on a device that does not support it
 */
export async function lowerFor(
  { device, tuning, memoryBudget }: LoweringTarget,
  { graph, inputRange: range }: Network,
  { fuse, precision, keep = new Set(), image }: NetworkOptions,
): Promise<Program> {
  const element = device.element(precision);
  const methods = methodsFor(tuning, element);
  return lower(graph, {
    element,
    keep,
    fuse: fuse ?? methods.fuse,
    conv: methods.conv,
    quads: methods.quads,
    workgroup: { ...device.workgroup, tileColumns: methods.tileColumns },
    image: image ? { range, wide: image.wide } : undefined,
    // Attention weights that fit in a quarter of the budget are kept for the layers that share
    // them.
    attentionBytes: Math.min(memoryBudget / 4, device.limits.maxStorageBufferBindingSize),
  });
}
