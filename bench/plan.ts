import type { Program } from '../src/engine/compile/program.ts';
import type { Size } from '../src/geometry.ts';

/** The work of a program per LR pixel, on any device. */
export interface PlanCost {
  readonly multiplyAddsPerPixel: number;
  /**
   * Maps read and written by all steps, counted once per step, and the weights that the steps read.
   */
  readonly bytesPerPixel: number;
}

/**
 * Returns the cost of a program at a size. It excludes halos that workgroups read twice and reads
 * that a cache saves, because these depend on the device.
 * @param constantBytes returns the size of a packed weight for its key in `program.constants`
 */
export function planCost(
  { steps, resources }: Program,
  size: Size,
  constantBytes: (key: string) => number,
): PlanCost {
  let [multiplyAdds, bytes] = [0, 0];
  for (const { reads, writes, ...step } of steps) {
    const share = step.share?.(size) ?? 1;
    multiplyAdds += step.multiplyAdds * share;
    if (share === 0) continue;
    // A map that is bound twice (for example to an unused binding) is counted once.
    const maps = new Set(writes);
    const constants = new Set<string>();
    for (const operand of reads) {
      if ('resource' in operand) maps.add(operand.resource);
      else constants.add(operand.constant);
    }
    for (const id of maps) bytes += resources[id].bytes(size);
    for (const key of constants) bytes += constantBytes(key);
  }
  return {
    multiplyAddsPerPixel: multiplyAdds,
    bytesPerPixel: bytes / (size.width * size.height),
  };
}
