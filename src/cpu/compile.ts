import type { FusedGraph, FusedOp } from '../engine/compile/fused.ts';
import { COMMON, commonOf, type Emitters } from './common.ts';
import { activates } from './pointwise.ts';

/** @throws CrispenError `INTERNAL` for ops of the fusion level `blocks` */
export async function emittersFor({ ops }: FusedGraph): Promise<Emitters> {
  if (!ops.every(isCommon)) return (await import('./others.ts')).othersFor(ops);
  return { of: commonOf, isSlow: () => false };
}

const isCommon = (op: FusedOp): boolean =>
  op.op in COMMON && (op.op !== 'pointwise' || op.activation === null || activates(op.activation));
