import type { Program } from '../src/engine/compile/program.ts';
import type { Size } from '../src/geometry.ts';

/** What a program has to do for each LR pixel, whatever the device. */
export interface PlanCost {
  readonly multiplyAddsPerPixel: number;
  /** Maps read and written by all steps, each once per step, and the weights that they read. */
  readonly bytesPerPixel: number;
}

/**
 * The cost of a program at a size. Halos that workgroups read twice, and reads that a cache saves,
 * are the device's affair and not counted.
 * @param constantBytes size of a packed weight by its key in `program.constants`
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
    // A map bound twice (to a binding that is switched off, say) is moved once.
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
