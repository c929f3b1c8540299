/**
 * Functions that the GPU backend, the CPU backend and the oracle share. Most of them serve traces,
 * which are runs that return the values of chosen nodes. The functions pad a trace's input, find
 * the traced nodes by name, crop the network's output, and return the formats of the input and
 * output pixels.
 */
import { CrispenError } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { paddingOf } from '../../graph/analysis.ts';
import type { Graph, NodeId } from '../../graph/graph.ts';
import { channelsOf } from '../../graph/shape.ts';
import { cropReference, padReference } from '../../kernels/pixels/rgba8.reference.ts';
import type { PixelFormat } from '../../kernels/pixels/rgba8.ts';
import { type PlanarMap, planarMap, type Reals } from '../../kernels/planar.ts';
import type { Network } from '../../networks/network.ts';
import type { TracedTensor } from '../types.ts';

/** The input of a trace: planar (chw) f32 values in the network's own range. */
export interface PlanarInput {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/**
 * Converts the input of a trace to a map and adds the padding that the graph needs.
 * @throws CrispenError `INVALID_INPUT` unless the input has one value per channel and pixel.
 */
export function paddedInput(
  { graph, inputRange }: Network,
  { width, height, data }: PlanarInput,
): PlanarMap {
  const map = planarMap(inputChannels(graph), height, width);
  if (data.length !== map.data.length) {
    throw new CrispenError(
      'INVALID_INPUT',
      `The input has ${data.length} values, not ${map.data.length}.`,
    );
  }
  map.data.set(data);
  return padReference(map, paddingOf(graph), inputRange);
}

/**
 * Converts a map to a traced tensor. The network's output is cropped to remove the padding. Other
 * maps are unchanged.
 */
export function tracedMap(
  network: Network,
  id: NodeId,
  map: PlanarMap,
  input: PlanarInput,
): TracedTensor {
  const { channels, height, width, data } =
    id === network.graph.output ? withoutPadding(network, map, input) : map;
  return { shape: [channels, height, width], data };
}

/** Removes the part of the output that comes from padding, given the size of the LR image. */
export function withoutPadding<T extends Reals>(
  { graph, scale }: Network,
  map: PlanarMap<T>,
  image: Size,
): PlanarMap<T> {
  const { border = 0 } = paddingOf(graph);
  return cropReference(map, image.height * scale, image.width * scale, border * scale);
}

/** Returns the formats of a network's input and output pixels. */
export function pixelFormats({ graph, inputRange: range, scale }: Network): {
  readonly input: PixelFormat;
  readonly output: PixelFormat & { readonly scale: number };
} {
  const channels = channelsOf(graph.nodes[graph.output].shape);
  return {
    input: { range, channels: inputChannels(graph) },
    output: { range, channels, scale },
  };
}

/**
 * Finds the ids of nodes by name.
 * @throws CrispenError `INVALID_INPUT` for a name that the graph lacks.
 */
export function findTaps(graph: Graph, names: readonly string[]): Set<NodeId> {
  const ids = new Map(graph.nodes.map((node, id) => [node.name, id]));
  return new Set(
    names.map((name) => {
      const id = ids.get(name);
      if (id === undefined) {
        throw new CrispenError('INVALID_INPUT', `The network has no tensor called "${name}".`);
      }
      return id;
    }),
  );
}

/** Returns the number of channels of the graph's input. */
const inputChannels = ({ nodes }: Graph): number =>
  nodes.find((node) => node.op === 'input')?.channels ?? 0;
