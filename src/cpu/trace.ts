import { findTaps, type PlanarInput, paddedInput, tracedMap } from '../engine/oracle/trace.ts';
import type { TracedTensor } from '../engine/types.ts';
import type { CpuModel } from './model.ts';
import { readValue, writePlanar } from './planar.ts';
import type { RunChoice } from './runner.ts';
import type { Tables } from './tasks.ts';

/**
 * Runs a network on planar data in the network's input range. Returns the values of the nodes with
 * the given names. All of these nodes except the output node must be in the option `keep` of
 * `CpuModel.load`, because a run reuses the memory of values that are not kept.
 */
export async function traceOnCpu(
  model: CpuModel,
  input: PlanarInput,
  names: readonly string[],
  options: RunChoice = {},
): Promise<Map<string, TracedTensor>> {
  const { network } = model;
  const { graph } = network;
  const map = paddedInput(network, input);
  const tables: Tables = new Map();
  const { floats, places } = await model.compute(
    map,
    (floats, view) => writePlanar(floats, view, map.data),
    { ...options, tables },
  );
  return new Map(
    [...findTaps(graph, names)].map((id) => {
      const value = readValue(graph, id, floats, places, tables);
      const tensor: TracedTensor =
        value instanceof Float32Array
          ? { shape: [value.length], data: value }
          : 'dims' in value
            ? { shape: value.dims, data: Float32Array.from(value.data) }
            : tracedMap(network, id, value, input);
      return [graph.nodes[id].name, tensor];
    }),
  );
}
