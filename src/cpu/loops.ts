/**
 * Runs the ops for which the WebAssembly module has no function. They run in the plain TypeScript
 * loops of the reference implementation (`engine/oracle`). The loops take about a hundred times as
 * long as the module's functions.
 */
import type { GroupAttentionOp, LoneOp } from '../engine/compile/fused.ts';
import { applyOp } from '../engine/oracle/interpreter.ts';
import type { Graph } from '../graph/graph.ts';
import { paced } from '../kernels/steps.ts';
import type { Constants } from './constants.ts';
import { readValue, writePlanar } from './planar.ts';
import type { Emission } from './tasks.ts';

/**
 * The ops that these loops can run. A `LoneOp` is a graph op that the compiler has not fused with
 * any other op.
 */
export type SlowOp = LoneOp | GroupAttentionOp;

export function emitLoop(op: SlowOp, constants: Constants, graph: Graph): Emission {
  const { reads, writes } = op;
  const weight = (name: string) => constants.weight(name);
  return {
    tasks: (place) => [
      async (floats, { tables, pause }) => {
        const inputs = reads.inputs.map((id) => readValue(graph, id, floats, place, tables));
        const value = await paced(applyOp(op, inputs, weight), pause);
        if ('channels' in value) writePlanar(floats, place.map(writes.y), value.data);
        else if ('dims' in value) tables.set(writes.y, value);
        else floats.set(value, place.vector(writes.y) / 4);
      },
    ],
  };
}
