/** Pure functions that compute the values for the inspector's maps. */
import type {
  AttentionBlock,
  AttentionClusters,
  AttentionInspection,
  AttentionKeys,
} from '../../src/index.ts';

/** A part of the network that uses attention. */
export type Layer =
  | { readonly kind: 'block'; readonly name: string; readonly of: AttentionBlock }
  | { readonly kind: 'clusters'; readonly name: string; readonly of: AttentionClusters }
  | { readonly kind: 'keys'; readonly name: string; readonly of: AttentionKeys };

/** Selects which of a layer's values to show. */
export type MapChoice =
  | 'mean'
  | 'enhanced'
  | 'suppressed'
  | `channel-${number}`
  | `round-${number}`
  | `reference-${number}`;

/** Values to show over the picture. */
export interface ShownMap {
  readonly width: number;
  readonly height: number;
  readonly values: ArrayLike<number>;
  /**
   * The values that the darkest and the brightest colour stand for. Null if the values are names,
   * such as clusters.
   */
  readonly range: readonly [number, number] | null;
}

export interface Pixel {
  readonly x: number;
  readonly y: number;
}

/**
 * Returns all layers that have something to show. Within each kind, layers are in the network's
 * order.
 */
export function layersOf({
  blocks,
  clusters,
  keys,
}: Pick<AttentionInspection, 'blocks' | 'clusters' | 'keys'>): Layer[] {
  return [
    ...blocks.map((of) => ({ kind: 'block', name: of.name, of }) as const),
    ...clusters.map((of) => ({ kind: 'clusters', name: of.name, of }) as const),
    ...keys.map((of) => ({ kind: 'keys', name: of.name, of }) as const),
  ];
}

/** Returns the choices of maps for a layer. The default map is first. */
export function choicesOf(layer: Layer): MapChoice[] {
  if (layer.kind === 'clusters') {
    return Array.from({ length: layer.of.rounds }, (_, r): MapChoice => `round-${r}`);
  }
  if (layer.kind === 'keys') return layer.of.references.map((_, i): MapChoice => `reference-${i}`);
  const { attention, enhanced, suppressed } = layer.of;
  if (!attention) return [];
  return [
    'mean',
    ...(enhanced ? ['enhanced' as const] : []),
    ...(suppressed ? ['suppressed' as const] : []),
    ...Array.from({ length: attention.channels }, (_, c): MapChoice => `channel-${c}`),
  ];
}

/** Extracts the number from a choice such as `channel-3`. */
export const indexOf = (choice: MapChoice): number => Number(/\d+$/.exec(choice)?.[0] ?? 0);

/** Returns the map for a choice, or null if the layer has no map. */
export function mapOf(layer: Layer, choice: MapChoice): ShownMap | null {
  if (layer.kind === 'clusters') {
    const { width, height, codes } = layer.of;
    const plane = width * height;
    const at = indexOf(choice) * plane;
    return { width, height, values: codes.subarray(at, at + plane), range: null };
  }
  if (layer.kind === 'keys') return weightMap(layer.of, indexOf(choice));
  const { attention, enhanced, suppressed } = layer.of;
  if (!attention) return null;
  const { width, height } = attention;
  if (choice === 'enhanced' || choice === 'suppressed') {
    const values = (choice === 'enhanced' ? enhanced : suppressed)?.data ?? [];
    return { width, height, values, range: rangeOf(values) };
  }
  const values = choice === 'mean' ? meanOf(attention) : channelOf(attention, indexOf(choice));
  return { width, height, values, range: rangeOf(values) };
}

type Maps = NonNullable<AttentionBlock['attention']>;

const channelOf = ({ width, height, data }: Maps, channel: number): Float32Array =>
  data.subarray(channel * width * height, (channel + 1) * width * height);

/** Computes the mean over the channels. */
function meanOf(maps: Maps): Float32Array {
  const { channels } = maps;
  const sum = new Float32Array(maps.width * maps.height);
  for (let c = 0; c < channels; c++) {
    const plane = channelOf(maps, c);
    for (let i = 0; i < sum.length; i++) sum[i] += plane[i] / channels;
  }
  return sum;
}

/** For each pixel, sums the weights of its keys in one reference. */
function weightMap(
  { width, height, weights, references }: AttentionKeys,
  reference: number,
): ShownMap {
  const { first, keys } = references[reference];
  const plane = width * height;
  const values = new Float32Array(plane);
  for (let t = first; t < first + keys; t++) {
    for (let i = 0; i < plane; i++) values[i] += weights[t * plane + i];
  }
  return { width, height, values, range: rangeOf(values) };
}

function rangeOf(values: ArrayLike<number>): [number, number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    least = Math.min(least, values[i]);
    most = Math.max(most, values[i]);
  }
  return values.length > 0 ? [least, most] : [0, 0];
}

/** Returns a map that shows the weight of each pixel that the given pixel attends to. */
export function attendedMap(clusters: AttentionClusters, { x, y }: Pixel): ShownMap {
  const { width, height, count, neighbours, weights } = clusters;
  const at = (y * width + x) * count;
  const values = new Float32Array(width * height);
  for (let n = 0; n < count; n++) values[neighbours[at + n]] += weights[at + n];
  return { width, height, values, range: [0, weights[at] || 1] };
}

/** One of a pixel's keys: the position that it samples in a reference, and the sample's weight. */
export interface SampledKey {
  readonly reference: number;
  /** The position in pixels, which can be outside the picture. */
  readonly x: number;
  readonly y: number;
  readonly weight: number;
  /** 0 if the gate is closed. Null if there is no gate. */
  readonly gate: number | null;
}

/** Returns a pixel's keys, in descending order of weight. */
export function sampledKeys(found: AttentionKeys, { x, y }: Pixel): SampledKey[] {
  const { width, height, references, weights, offsets, gates } = found;
  const plane = width * height;
  const at = y * width + x;
  const keys = references.flatMap(({ first, keys: count }, reference) =>
    Array.from({ length: count }, (_, n): SampledKey => {
      const t = first + n;
      return {
        reference,
        x: x + offsets[(2 * t + 1) * plane + at],
        y: y + offsets[2 * t * plane + at],
        weight: weights[t * plane + at],
        gate: gates ? gates[t * plane + at] : null,
      };
    }),
  );
  return keys.sort((a, b) => b.weight - a.weight);
}

/** A summary of a block's attention over all channels at one pixel. */
export interface PixelValues {
  readonly name: string;
  readonly least: number;
  readonly mean: number;
  readonly most: number;
  /** The value of the chosen channel. Null if none is chosen or the block lacks it. */
  readonly chosen: number | null;
}

/**
 * Returns a pixel's attention in each block.
 * @param image the size that the pixel's coordinates refer to; an upsampler's gate is larger
 */
export function pixelValues(
  { blocks, ...image }: AttentionInspection,
  { x, y }: Pixel,
  channel: number | null,
): PixelValues[] {
  return blocks.flatMap(({ name, attention }) => {
    if (!attention) return [];
    const { channels, width, height, data } = attention;
    const column = Math.min(width - 1, Math.floor(((x + 0.5) * width) / image.width));
    const row = Math.min(height - 1, Math.floor(((y + 0.5) * height) / image.height));
    const at = row * width + column;
    const values = Array.from({ length: channels }, (_, c) => data[c * width * height + at]);
    const chosen = channel === null ? null : (values[channel] ?? null);
    const mean = values.reduce((a, b) => a + b, 0) / channels;
    return [{ name, least: Math.min(...values), mean, most: Math.max(...values), chosen }];
  });
}

/**
 * Returns the value for a layer's bar, from 0 to 1: the attention branch's weight, or the mean
 * attention.
 */
export function shareOf(layer: Layer): number | null {
  if (layer.kind !== 'block') return null;
  const { branches, attention, channelFactors } = layer.of;
  if (branches) return branches[0];
  const values = attention?.data ?? channelFactors;
  if (!values) return null;
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/**
 * Returns plain data to save as a file: the whole inspection without its maps, plus the map that is
 * shown.
 */
export function exported(
  inspection: AttentionInspection,
  shown: { readonly layer: Layer; readonly choice: MapChoice; readonly pixel: Pixel | null },
): object {
  const { blocks, clusters, keys, ...facts } = inspection;
  const map = mapOf(shown.layer, shown.choice);
  const { pixel, layer, choice } = shown;
  return {
    ...facts,
    blocks: blocks.map(({ name, branches, attention, enhanced, suppressed, channelFactors }) => ({
      name,
      branches,
      channelMeans: attention && Array.from(channelMeans(attention)),
      mostEnhanced: enhanced && { channel: enhanced.channel, mean: enhanced.mean },
      mostSuppressed: suppressed && { channel: suppressed.channel, mean: suppressed.mean },
      channelFactors: channelFactors && Array.from(channelFactors),
    })),
    clusters: clusters.map(({ name, rounds, clusters: count, width, height, codes }) => ({
      name,
      rounds,
      clusters: count,
      width,
      height,
      codes: Array.from(codes),
    })),
    keys: keys.map(({ name, references }) => ({ name, references })),
    map: map && {
      layer: layer.name,
      choice,
      width: map.width,
      height: map.height,
      values: Array.from(map.values),
    },
    pixel: pixel && {
      ...pixel,
      attention: pixelValues(inspection, pixel, null),
      attendsTo: layer.kind === 'clusters' ? attended(layer.of, pixel) : null,
      keys: layer.kind === 'keys' ? sampledKeys(layer.of, pixel) : null,
    },
  };
}

/** Computes each channel's mean attention over all pixels. */
function channelMeans(maps: Maps): number[] {
  return Array.from({ length: maps.channels }, (_, c) => {
    const plane = channelOf(maps, c);
    return plane.reduce((a, b) => a + b, 0) / plane.length;
  });
}

function attended(clusters: AttentionClusters, { x, y }: Pixel) {
  const { width, count, neighbours, weights } = clusters;
  const at = (y * width + x) * count;
  return Array.from({ length: count }, (_, n) => ({
    x: neighbours[at + n] % width,
    y: Math.floor(neighbours[at + n] / width),
    weight: weights[at + n],
  })).filter(({ weight }) => weight > 0);
}
