/** Extracts a network's attention for one image from the tensors that were traced in one run. */

import { internal } from '../../errors.ts';
import { pixelsOf, type Size } from '../../geometry.ts';
import { paddingOf } from '../../graph/analysis.ts';
import {
  type AttentionPoints,
  attentionPoints,
  type BlockPoints,
  type ClusterPoints,
  type KeyPoints,
} from '../../graph/attention.ts';
import type { NodeId } from '../../graph/graph.ts';
import { type Gate, paddedRow } from '../../graph/nonlocalOp.ts';
import { mapOf, mapSize } from '../../graph/shape.ts';
import type { Rgba8Image } from '../../image/image.ts';
import { keyRow, softmax } from '../../kernels/nonlocal/nonlocal.reference.ts';
import { cropReference, unpackRgba8Reference } from '../../kernels/pixels/rgba8.reference.ts';
import type { Network } from '../../networks/network.ts';
import { paddedSize } from '../tile/bordered.ts';
import type { TracedTensor } from '../types.ts';
import { type PlanarInput, pixelFormats } from './trace.ts';

/** Feature maps in planar (chw), row-major order, as f32. */
export interface AttentionMaps {
  readonly channels: number;
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array<ArrayBuffer>;
}

/** One channel of a feature map, before pixel attention scales its values. */
export interface GatedFeature {
  readonly channel: number;
  /** The channel's mean attention over the image. */
  readonly mean: number;
  /** One value per pixel, row by row. The map is the same size as the block's `attention` map. */
  readonly data: Float32Array<ArrayBuffer>;
}

/**
 * The attention within one block. A property is null if the block does not have that kind of
 * attention.
 */
export interface AttentionBlock {
  readonly name: string;
  /**
   * The dynamic weights of the attention and non-attention branches for this image (A2N). Their sum
   * is 1.
   */
  readonly branches: readonly [attention: number, nonAttention: number] | null;
  /**
   * Pixel attention: the factor for each channel and pixel, from 0 to 1 (-0.5 to 0.5 in SPAN). If
   * the block is part of an upsampler, this map is larger than the network's input.
   */
  readonly attention: AttentionMaps | null;
  /** The features of the channel with the largest mean attention. */
  readonly enhanced: GatedFeature | null;
  /** The features of the channel with the smallest mean attention. */
  readonly suppressed: GatedFeature | null;
  /** Channel attention: one factor per channel, from 0 to 1. */
  readonly channelFactors: Float32Array<ArrayBuffer> | null;
}

/** Clustered attention (LCoAN, DLSN). Pixels are numbered row by row. */
export interface AttentionClusters extends Size {
  readonly name: string;
  readonly rounds: number;
  readonly clusters: number;
  /** `[rounds, pixels]`: the cluster of each pixel, counted from 0. */
  readonly codes: Uint32Array<ArrayBuffer>;
  /** The number of entries per pixel in `neighbours` and `weights`. */
  readonly count: number;
  /**
   * `[pixels, count]`: the pixels that each pixel attends to most, in order of decreasing weight.
   */
  readonly neighbours: Uint32Array<ArrayBuffer>;
  /**
   * `[pixels, count]`: the weights of these neighbours. A pixel's weights for all pixels of the
   * image sum to 1, but only the largest of them are listed. Unused entries are 0.
   */
  readonly weights: Float32Array<ArrayBuffer>;
}

/** Attention to a few keys per pixel, at offsets that the network computes (ACLA). */
export interface AttentionKeys extends Size {
  readonly name: string;
  /** The earlier layers that provide keys. Each provides the keys `first` to `first + keys - 1`. */
  readonly references: readonly {
    readonly name: string;
    readonly first: number;
    readonly keys: number;
  }[];
  /**
   * `[keys, height, width]`: the weight of each key. The weights of a pixel sum to 1, or to 0 if
   * the gate excludes all its keys.
   */
  readonly weights: Float32Array<ArrayBuffer>;
  /**
   * `[keys, 2, height, width]`: the offsets `dy` and `dx` of each key in pixels, relative to the
   * pixel that attends.
   */
  readonly offsets: Float32Array<ArrayBuffer>;
  /**
   * `[keys, height, width]`: the gate's factor for each key, from 0 (closed) to 1. Null if there is
   * no gate.
   */
  readonly gates: Float32Array<ArrayBuffer> | null;
}

/**
 * The attention of one run, in network order. For networks without attention, the lists are empty.
 */
export interface Attention {
  readonly blocks: readonly AttentionBlock[];
  readonly clusters: readonly AttentionClusters[];
  readonly keys: readonly AttentionKeys[];
}

/** The number of neighbours that `AttentionClusters` lists for each pixel. */
const NEIGHBOURS = 32;

/**
 * Returns the names of the tensors that `readAttention` needs. The list is empty if the network has
 * no attention.
 */
export function attentionTaps({ graph }: Network): string[] {
  return [...tapped(attentionPoints(graph))].map((id) => graph.nodes[id].name);
}

/** Converts an image to the input of a traced run. */
export function attentionInput(network: Network, image: Rgba8Image): PlanarInput {
  return unpackRgba8Reference(image, pixelFormats(network).input);
}

/**
 * Returns the total size in bytes of the tensors that `attentionTaps` names. `image` is the LR
 * image's size.
 */
export function attentionBytes({ graph }: Network, image: Size): number {
  const padded = paddedSize(paddingOf(graph), image);
  let total = 0;
  for (const id of tapped(attentionPoints(graph))) {
    const { shape } = graph.nodes[id];
    if (shape.kind === 'vector') total += shape.length;
    else if (shape.kind === 'map') total += shape.channels * pixelsOf(mapSize(shape, padded));
    else total += shape.dims(padded).reduce((a, b) => a * b, 1);
  }
  return 4 * total;
}

/**
 * Reads the attention of a traced run.
 * @param traced the tensors that `attentionTaps` names
 * @param image the LR image's size; the padding is removed from the maps
 */
export function readAttention(
  { graph }: Network,
  traced: ReadonlyMap<string, TracedTensor>,
  image: Size,
): Attention {
  const tensor: Reader['tensor'] = (id) => {
    const { name } = graph.nodes[id];
    const found = traced.get(name);
    if (!found) throw internal(`${name} was not traced`);
    return found;
  };
  const reader: Reader = {
    tensor,
    maps(id) {
      const { shape, data } = tensor(id);
      const [channels, height, width] = shape;
      const { name, shape: declared } = graph.nodes[id];
      const size = mapSize(mapOf(declared, name), image);
      const whole = { channels, height, width, data: Float32Array.from(data) };
      return cropReference(whole, size.height, size.width);
    },
  };
  const points = attentionPoints(graph);
  const padded = paddedSize(paddingOf(graph), image);
  return {
    blocks: points.blocks.map((block) => readBlock(block, reader)),
    clusters: points.clusters.map((found) => readClusters(found, reader, padded)),
    keys: points.keys.map((found) => readKeys(found, reader)),
  };
}

/** Reads traced tensors by node id. */
interface Reader {
  readonly tensor: (id: NodeId) => TracedTensor;
  readonly maps: (id: NodeId) => AttentionMaps;
}

function tapped({ blocks, clusters, keys }: AttentionPoints): Set<NodeId> {
  return new Set(
    [
      ...blocks.flatMap(({ branches, attention, gated, channels }) => [
        branches,
        attention,
        gated,
        channels,
      ]),
      ...clusters.flatMap(({ codes, order, rank, attention, lse }) => [
        codes,
        order,
        rank,
        attention,
        lse,
      ]),
      ...keys.flatMap(({ weights, offsets, mask }) => [weights, offsets, mask]),
    ].filter((id) => id !== null),
  );
}

function readBlock(
  { name, branches, attention, gated, channels }: BlockPoints,
  { tensor, maps }: Reader,
): AttentionBlock {
  const [p, q] = branches === null ? [] : tensor(branches).data;
  const gate = attention === null ? null : maps(attention);
  const found = gate && gated !== null ? extremes(gate, maps(gated)) : NO_EXTREMES;
  return {
    name,
    branches: p === undefined || q === undefined ? null : [p, q],
    attention: gate,
    ...found,
    channelFactors: channels === null ? null : Float32Array.from(tensor(channels).data),
  };
}

const NO_EXTREMES = { enhanced: null, suppressed: null };

/** Returns the mean of each channel over the pixels. */
export function channelMeans({ channels, width, height, data }: AttentionMaps): number[] {
  const plane = width * height;
  return Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = c * plane; i < (c + 1) * plane; i++) sum += data[i];
    return sum / plane;
  });
}

function extremes(gate: AttentionMaps, features: AttentionMaps) {
  const means = channelMeans(gate);
  const plane = features.width * features.height;
  const at = (channel: number): GatedFeature => ({
    channel,
    mean: means[channel],
    data: features.data.slice(channel * plane, (channel + 1) * plane),
  });
  return {
    enhanced: at(means.indexOf(Math.max(...means))),
    suppressed: at(means.indexOf(Math.min(...means))),
  };
}

function readClusters(
  { name, rounds, clusters, ...points }: ClusterPoints,
  { tensor }: Reader,
  { width, height }: Size,
): AttentionClusters {
  const length = width * height;
  const codes = Uint32Array.from(tensor(points.codes).data, (code, i) => {
    return code - Math.floor(i / length) * clusters;
  });
  const count = Math.min(NEIGHBOURS, length);
  const neighbours = new Uint32Array(length * count);
  const weights = new Float32Array(length * count);
  const attention = tensor(points.attention);
  const [order, rank, lse] = [points.order, points.rank, points.lse].map((id) => tensor(id).data);
  const [, windows, window, keys] = attention.shape;
  const padded = windows * window;
  /**
   * `all` contains the weight that the current pixel gives to each pixel of the image. `touched`
   * lists the pixels whose weight is not zero.
   */
  const all = new Float32Array(length);
  const touched: number[] = [];
  for (let i = 0; i < length; i++) {
    const rows = Array.from({ length: rounds }, (_, r) => rank[r * length + i] - r * length);
    const shares = softmax(rows.map((j, r) => lse[r * padded + j]));
    rows.forEach((j, r) => {
      const first = Math.floor(j / window);
      for (let k = 0; k < keys; k++) {
        const weight = shares[r] * attention.data[(r * padded + j) * keys + k];
        const row = paddedRow(keyRow(first, k, window, windows), length, window);
        const pixel = order[r * length + row] - r * length;
        if (weight === 0) continue;
        if (all[pixel] === 0) touched.push(pixel);
        all[pixel] += weight;
      }
    });
    const at = i * count;
    let filled = 0;
    for (const pixel of touched) {
      const weight = all[pixel];
      all[pixel] = 0;
      if (filled === count && weight <= weights[at + count - 1]) continue;
      let n = filled < count ? filled++ : count - 1;
      for (; n > 0 && weights[at + n - 1] < weight; n--) {
        weights[at + n] = weights[at + n - 1];
        neighbours[at + n] = neighbours[at + n - 1];
      }
      weights[at + n] = weight;
      neighbours[at + n] = pixel;
    }
    touched.length = 0;
  }
  return { name, rounds, clusters, width, height, codes, count, neighbours, weights };
}

function readKeys(
  { name, references, layout, gate, ...points }: KeyPoints,
  { maps }: Reader,
): AttentionKeys {
  const { channels: keys, width, height, data: weights } = maps(points.weights);
  const { data: map } = maps(points.offsets);
  const plane = width * height;
  const offsets = new Float32Array(keys * 2 * plane);
  for (let t = 0; t < keys; t++) {
    const from = (layout === 'paired' ? 2 * t : t) * plane;
    offsets.set(map.subarray(from, from + 2 * plane), 2 * t * plane);
  }
  const gates = points.mask === null || !gate ? null : gateFactors(maps(points.mask), gate);
  return { name, width, height, references, weights, offsets, gates };
}

/** Computes the gate's factor for each key. See `Gate`. */
function gateFactors(mask: AttentionMaps, gate: Gate): Float32Array<ArrayBuffer> {
  const { channels, width, height, data } = mask;
  if (gate === 'zero' || gate === 'exclude') return data.map((v) => (v > 0 ? 1 : 0));
  const plane = width * height;
  const factors = new Float32Array(data.length);
  // For the gate `columns`, each softmax runs over the pixels of an image row. Otherwise, it runs
  // over the keys of a pixel.
  const [lines, length, step] =
    gate === 'columns' ? [channels * height, width, 1] : [plane, channels, plane];
  for (let line = 0; line < lines; line++) {
    const from = gate === 'columns' ? line * width : line;
    const values = Array.from({ length }, (_, i) => data[from + i * step]);
    softmax(values).forEach((share, i) => {
      factors[from + i * step] = share;
    });
  }
  return factors;
}
