import type { Program } from '../src/engine/compile/program.ts';
import type { Size } from '../src/geometry.ts';

/** A program's work per LR pixel, which is the same on every device. */
export interface PlanCost {
  readonly multiplyAddsPerPixel: number;
  /**
   * The bytes in the maps that steps read and write, counted once per step, and in the weights that
   * they read.
   */
  readonly bytesPerPixel: number;
}

/**
 * Returns a program's cost at a size. The effects of caches and of halos that workgroups read twice
 * are not included, because they depend on the device.
 * @param constantBytes returns a packed weight's size, given its key in `program.constants`
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
    // A map that is bound twice (for example, to an unused binding) is counted once.
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
