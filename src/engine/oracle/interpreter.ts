import { CrispenError, internal, nonFinite, throwIfAborted } from '../../errors.ts';
import { consumers, multiplyAddsPerPixel, paddingOf } from '../../graph/analysis.ts';
import type { Graph, NodeId, Op } from '../../graph/graph.ts';
import type { NonlocalOp } from '../../graph/nonlocalOp.ts';
import type { RgbaImage } from '../../image/image.ts';
import { convReference, convSteps } from '../../kernels/conv/conv.reference.ts';
import { bilinearSteps, nearestReference } from '../../kernels/maps/enlarge.reference.ts';
import {
  activationReference,
  addReference,
  affineReference,
  mixReference,
  mulReference,
  preluReference,
} from '../../kernels/maps/pointwise.reference.ts';
import {
  concatReference,
  pixelShuffleReference,
  pixelUnshuffleReference,
} from '../../kernels/maps/rearrange.reference.ts';
import {
  argmaxReference,
  attendSteps,
  attentionSteps,
  clusterMeansSteps,
  inverseReference,
  keySoftmaxSteps,
  rankReference,
  sampleKeysSteps,
  similaritySteps,
  startMeansReference,
  type Table,
} from '../../kernels/nonlocal/nonlocal.reference.ts';
import {
  packRgba8Reference,
  padReference,
  unpackRgba8Reference,
} from '../../kernels/pixels/rgba8.reference.ts';
import { type PlanarMap, planarMap, type Reals } from '../../kernels/planar.ts';
import {
  centreReference,
  dySampleSteps,
  groupNormReference,
  partialConvSteps,
  repeatChannelsReference,
} from '../../kernels/plksr/plksr.reference.ts';
import { paced, type Steps, timerPause } from '../../kernels/steps.ts';
import {
  channelAttentionSteps,
  depthwiseSteps,
  groupAttentionSteps,
  groupMixSteps,
  groupScoresSteps,
  layerNormSteps,
  maxPoolSteps,
  resizeSteps,
  type Scores,
  scaleChannelsReference,
  shiftReference,
  sliceReference,
  stridedConvSteps,
} from '../../kernels/transformer/transformer.reference.ts';
import {
  globalAveragePoolReference,
  meanOfSquaresReference,
} from '../../kernels/vector/pool.reference.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from '../../kernels/vector/vector.reference.ts';
import type { Network } from '../../networks/network.ts';
import type { TensorMap } from '../../weights/tensor.ts';
import type { AttentionSizes, GroupAttentionOp } from '../compile/fused.ts';
import { bindWeights, finite, type NetworkWeights } from '../compile/weights.ts';
import { ProgressMeter } from '../progress.ts';
import { averagedTiles, meanOfTiles } from '../tile/average.ts';
import type { RunOptions, TracedTensor, UpscaleResult } from '../types.ts';
import {
  findTaps,
  type PlanarInput,
  paddedInput,
  pixelFormats,
  tracedMap,
  withoutPadding,
} from './trace.ts';

export type Value<T extends Reals = Float32Array<ArrayBuffer>> = PlanarMap<T> | Table<T> | T;

const isVector = <T extends Reals>(value: Value<T>): value is T => !('data' in value);

/**
 * Runs a network on the CPU with the plain reference kernels, which are slow but simple. This is
 * the oracle for testing the other backends. It returns the values of the nodes named in `taps`,
 * and regularly yields to the event loop, so that the run can be cancelled.
 *
 * @throws CrispenError `ABORTED`, `MODEL_UNSUPPORTED`, `INVALID_INPUT`.
 */
export async function interpret(
  network: Network,
  weights: TensorMap,
  input: PlanarInput,
  taps: readonly string[],
  options: RunOptions = {},
): Promise<Map<string, TracedTensor>> {
  const { graph } = network;
  const wanted = findTaps(graph, taps);
  const map = paddedInput(network, input);
  const values = await evaluate(graph, bindWeights(graph, weights), map, wanted, options);
  return new Map(
    [...wanted].map((id) => {
      const value = values.get(id) as Value<Float64Array>;
      const data = new Float32Array(isVector(value) ? value : value.data);
      const tensor = isVector(value)
        ? { shape: [value.length], data }
        : 'dims' in value
          ? { shape: value.dims, data }
          : tracedMap(network, id, { ...value, data }, input);
      return [graph.nodes[id].name, tensor] as const;
    }),
  );
}

/**
 * Evaluates every node in order. Each value is deleted after its last use, unless it is the output
 * or the value of a node in `keep`.
 */
async function evaluate(
  graph: Graph,
  weights: NetworkWeights,
  input: PlanarMap,
  keep: ReadonlySet<NodeId>,
  { signal, onProgress }: RunOptions,
): Promise<Map<NodeId, Value<Float64Array>>> {
  const readers = consumers(graph);
  const exact = { ...input, data: Float64Array.from(input.data) };
  const values = new Map<NodeId, Value<Float64Array>>();
  const meter = new ProgressMeter(multiplyAddsPerPixel(graph), onProgress);
  const pause = timerPause(() => throwIfAborted(signal));
  throwIfAborted(signal);
  for (let id = 0; id < graph.nodes.length; id++) {
    const node = graph.nodes[id];
    const args = node.inputs.map((from) => values.get(from) as Value<Float64Array>);
    const weight = (name: string) => weights.get(name) as Float32Array;
    values.set(id, node.op === 'input' ? exact : await paced(applyOp(node, args, weight), pause));
    for (const from of new Set(node.inputs)) {
      const last = readers.get(from)?.at(-1) === id;
      if (last && !keep.has(from) && from !== graph.output) values.delete(from);
    }
    meter.advance(node.multiplyAdds);
    await pause();
  }
  meter.finish();
  return values;
}

/**
 * Applies an op to its inputs, `args`, which are in the order that the op defines. Expensive ops
 * run in steps, so that the caller can handle other events in between.
 */
export function* applyOp<T extends Reals>(
  node: Op | Pick<GroupAttentionOp, 'op' | keyof AttentionSizes>,
  args: readonly Value<T>[],
  weight: (name: string) => Float32Array,
): Steps<Value<T>> {
  const value = begin(node, args, weight);
  return 'next' in value ? yield* value : value;
}

/** Returns an op's value or, for an expensive op, a generator that computes the value in steps. */
function begin<T extends Reals>(
  node: Op | Pick<GroupAttentionOp, 'op' | keyof AttentionSizes>,
  args: readonly Value<T>[],
  weight: (name: string) => Float32Array,
): Value<T> | Steps<Value<T>> {
  const map = (index: number) => args[index] as PlanarMap<T>;
  const vector = (index: number) => args[index] as T;
  const optional = (name: string | null) => (name === null ? null : weight(name));
  switch (node.op) {
    case 'conv':
      return convSteps(map(0), weight(node.weight), optional(node.bias), node.cOut, node.kernel);
    case 'activation':
      return isVector(args[0])
        ? vectorActivationReference(args[0], node.activation)
        : activationReference(map(0), node.activation);
    case 'mul':
      return mulReference(map(0), map(1));
    case 'add':
      return addReference(map(0), map(1), node.factor);
    case 'prelu':
      return preluReference(map(0), weight(node.weight));
    case 'affine':
      return affineReference(map(0), node.scale, node.shift);
    case 'concat':
      return concatReference(args as readonly PlanarMap<T>[]);
    case 'pixelShuffle':
      return pixelShuffleReference(map(0), node.scale);
    case 'pixelUnshuffle':
      return pixelUnshuffleReference(map(0), node.scale);
    case 'mix':
      return mixReference(map(0), map(1), vector(2));
    case 'globalAveragePool':
      return globalAveragePoolReference(map(0), node.inset);
    case 'linear':
      return linearReference(vector(0), weight(node.weight), node.lengthOut, optional(node.bias));
    case 'softmax':
      return softmaxReference(vector(0), node.temperature);
    case 'nearest':
      return nearestReference(map(0), node.scale);
    case 'bilinear':
      return bilinearSteps(map(0), node.scale);
    case 'slice':
      return sliceReference(map(0), node.first, node.count);
    case 'shift':
      return shiftReference(map(0), node.by);
    case 'depthwise':
      return depthwiseSteps(map(0), weight(node.weight), optional(node.bias), node.kernel);
    case 'layerNorm':
      return layerNormSteps(map(0), weight(node.weight), weight(node.bias), node.epsilon);
    case 'scaleChannels':
      return scaleChannelsReference(map(0), vector(1));
    case 'groupScores':
      return groupScoresSteps(map(0), map(1), optional(node.table), node);
    case 'groupMix':
      return groupMixSteps(map(0), args[1] as Scores<T>, node);
    case 'groupAttention':
      return groupAttentionSteps(map(0), map(1), optional(node.table), node, node.first);
    case 'channelAttention':
      return channelAttentionSteps(map(0), weight(node.temperature), node.grouping);
    case 'stridedConv':
      return stridedConvSteps(map(0), weight(node.weight), optional(node.bias), node);
    case 'maxPool':
      return maxPoolSteps(map(0), node.kernel, node.stride);
    case 'resize':
      return resizeSteps(map(0), map(1));
    case 'partialConv':
      return partialConvSteps(map(0), weight(node.weight), optional(node.bias), node);
    case 'meanOfSquares':
      return meanOfSquaresReference(map(0));
    case 'centre':
      return centreReference(map(0), vector(1), node.groups);
    case 'groupNorm':
      return groupNormReference(map(0), vector(1), weight(node.weight), weight(node.bias), node);
    case 'repeatChannels':
      return repeatChannelsReference(map(0), node.times);
    case 'dySample':
      return dySampleSteps(map(0), map(1), node);
    case 'nonlocal':
      return applyNonlocal(node.spec, args, weight);
    case 'input':
      throw internal('the input has no op to apply');
  }
}

function applyNonlocal<T extends Reals>(
  spec: NonlocalOp,
  args: readonly Value<T>[],
  weight: (name: string) => Float32Array,
): Value<T> | Steps<Value<T>> {
  const map = (index: number) => args[index] as PlanarMap<T>;
  const table = (index: number) => args[index] as Table<T>;
  switch (spec.kind) {
    case 'similarity': {
      const means = spec.weight === null ? (table(1).data as T) : finite(weight(spec.weight));
      return similaritySteps(map(0), means, spec);
    }
    case 'argmax':
      return argmaxReference(table(0), spec.chunk);
    case 'rank':
      return rankReference(table(0));
    case 'inverse':
      return inverseReference(table(0));
    case 'startMeans':
      return startMeansReference(map(0), spec.rounds, spec.clusters);
    case 'clusterMeans':
      return clusterMeansSteps(map(0), table(1), table(3));
    case 'attention':
      return attentionSteps(map(0), table(1), spec, args.length > 2 ? map(2) : null);
    case 'logSumExp': {
      const { dims, lse } = table(0);
      if (!lse) throw internal('the log-sum-exp of something else than an attention');
      return { dims: [dims[0], dims[1] * dims[2]], data: lse };
    }
    case 'attend':
      return attendSteps(map(0), table(1), table(2), table(3), table(4));
    case 'keySoftmax':
      return keySoftmaxSteps(map(0), spec.gate === null ? null : map(1), spec.gate);
    case 'sampleKeys':
      return sampleKeysSteps(map(0), map(1), map(2), args.length > 3 ? map(3) : null, spec);
  }
}

/**
 * Upscales an image on the CPU. As on the GPU, alpha is enlarged bilinearly. If the network
 * computes only luma, the colours are enlarged in the same way, and the differences between these
 * colours and their luma are added to the network's output.
 * @throws CrispenError `ABORTED`, `MODEL_UNSUPPORTED`, `NON_FINITE`.
 */
export async function upscaleOnCpu<T extends RgbaImage>(
  network: Network,
  weights: TensorMap,
  image: T,
  options: RunOptions = {},
): Promise<UpscaleResult<T>> {
  const started = performance.now();
  const { graph, scale } = network;
  const { width, height } = image;
  const formats = pixelFormats(network);
  const bound = bindWeights(graph, weights);
  const run = async (lr: PlanarMap): Promise<PlanarMap<Float64Array>> => {
    const padded = padReference(lr, paddingOf(graph), network.inputRange);
    const values = await evaluate(graph, bound, padded, new Set(), options);
    return withoutPadding(network, values.get(graph.output) as PlanarMap<Float64Array>, lr);
  };
  const lr = unpackRgba8Reference(image, formats.input);
  const { averagedTiles: tiles } = network;
  const sr: PlanarMap<Reals> = tiles ? await meanOfTiles(lr, tiles, scale, run) : await run(lr);
  const { data, finite } = packRgba8Reference(sr, image, formats.output);
  if (!finite) throw nonFinite();
  return {
    image: { width: sr.width, height: sr.height, data } as RgbaImage as T,
    report: {
      backend: 'cpu',
      milliseconds: performance.now() - started,
      tiles: tiles ? averagedTiles(image, tiles).length : 1,
      tileSize: tiles
        ? [Math.min(width, tiles.side), Math.min(height, tiles.side)]
        : [width, height],
      statistics: 'exact',
      approximate: false,
      gpuBytes: 0,
      dispatches: 0,
      precision: 'f32',
    },
  };
}

/**
 * Estimates how many milliseconds `upscaleOnCpu` needs for an LR image. The estimate is based on
 * a test that repeats a 3x3 convolution with 40 channels for about 50 ms. A2N's most expensive
 * layers have this shape.
 * @throws CrispenError `INVALID_INPUT` for invalid sizes.
 */
export function estimateCpuMilliseconds(network: Network, width: number, height: number): number {
  if (![width, height].every((side) => Number.isInteger(side) && side > 0)) {
    throw new CrispenError('INVALID_INPUT', `There is no image of ${width} x ${height} pixels.`, {
      hint: 'Width and height are positive integers.',
    });
  }
  const channels = 40;
  const size = 24;
  const x = planarMap(channels, size, size);
  x.data.forEach((_, i) => {
    x.data[i] = Math.sin(i);
  });
  const weights = Float32Array.from({ length: channels * channels * 9 }, (_, i) => Math.cos(i));
  const probe = () => convReference(x, weights, null, channels, 3);
  probe(); // This call warms up the JIT compiler.
  const started = performance.now();
  let runs = 0;
  do {
    probe();
    runs++;
  } while (performance.now() - started < 50);
  const perMultiplyAdd =
    (performance.now() - started) / (runs * channels * channels * 9 * size * size);
  return multiplyAddsPerPixel(network.graph) * width * height * perMultiplyAdd;
}
