import { pixelsOf, type Size } from '../../../geometry.ts';
import { mapSize } from '../../../graph/shape.ts';
import { type ConvSpec, convParams, packBias, plainConv } from '../../../kernels/conv/conv.ts';
import { blocksOf, concatFloats, ELEMENT_BYTES } from '../../../kernels/kernel.ts';
import {
  columnGrid,
  depthwiseSumsKernel,
  gatedProjectionKernel,
  type Next,
  normedAttentionKernel,
  packMatrices,
  pixelGrid,
  pixelLayerKernel,
  spatialGateGrid,
  spatialGateKernel,
  weighedWeightsKernel,
} from '../../../kernels/transformer/merged.ts';
import {
  channelAttentionKernel,
  groupGrid,
  scoreBytes,
} from '../../../kernels/transformer/transformer.ts';
import type { ConvLayer, FusedOpOf, MergedOp, NormLayer, PixelLayer, ValueId } from '../fused.ts';
import type { Operand } from '../program.ts';
import type { NetworkWeights } from '../weights.ts';
import { layerBias } from './conv.ts';
import {
  type Emission,
  type EmitterGroup,
  exact,
  mapParams,
  memoryWork,
  optional,
  poolSums,
  writesMap,
} from './emission.ts';
import { depthwiseTaps, positions } from './transformer.ts';

/** The emitters for the ops that `merge.ts` creates. */
export const mergedEmitters: EmitterGroup<MergedOp['op']> = (emission) => ({
  view: ({ reads, writes, first }) => emission.place(writes.y, emission.read(reads.x), first / 4),
  pixelLayer: (op) => emitPixelLayer(emission, op),
  gatedProjection: (op) => emitGatedProjection(emission, op),
  normedAttention: (op) => emitNormedAttention(emission, op),
  projectedAttention: (op) => emitProjectedAttention(emission, op),
  weighedProjection: (op) => emitWeighedProjection(emission, op),
  spatialGate: (op) => emitSpatialGate(emission, op),
});

/** The weights `rows` [cOut][cIn] and the bias of a 1x1 convolution. */
interface Dense {
  readonly rows: Float32Array<ArrayBuffer>;
  readonly bias: Float32Array<ArrayBuffer>;
}

/** Folds the factors and shifts of a layer's normalisation into the layer's convolution. */
function dense(w: NetworkWeights, { conv, norm }: Omit<PixelLayer, 'activation'>): Dense {
  const { cIn, cOut } = conv;
  const weights = exact(w, conv.weight);
  const bias = Float64Array.from(optional(w, conv.bias) ?? new Float32Array(cOut));
  const rows = Float32Array.from(weights);
  if (norm) {
    const [factors, shifts] = [exact(w, norm.weight), exact(w, norm.bias)];
    for (let o = 0; o < cOut; o++) {
      for (let i = 0; i < cIn; i++) {
        bias[o] += weights[o * cIn + i] * shifts[i];
        rows[o * cIn + i] *= factors[i];
      }
    }
  }
  return { rows, bias: Float32Array.from(bias) };
}

/** Multiplies the matrix `a` [rows][inner] by the matrix `b` [inner][columns], in f64. */
function product(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  inner: number,
  columns: number,
): Float64Array {
  const rows = a.length / inner;
  const y = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < inner; i++) {
      for (let c = 0; c < columns; c++) y[r * columns + c] += a[r * inner + i] * b[i * columns + c];
    }
  }
  return y;
}

const nextOf = (next: PixelLayer | null): Next | null =>
  next && {
    channels: next.conv.cOut,
    epsilon: next.norm?.epsilon ?? null,
    activation: next.activation,
  };

const namesOf = (layer: Pick<PixelLayer, 'conv' | 'norm'> | null): (string | null)[] =>
  layer ? [layer.conv.weight, layer.conv.bias, ...normNames(layer.norm)] : [];

const normNames = (norm: NormLayer | null): string[] => (norm ? [norm.weight, norm.bias] : []);

/** Registers the matrices and biases of several convolutions as constants. */
function constants(
  emission: Emission,
  key: string,
  names: readonly (string | null)[],
  layers: (w: NetworkWeights) => readonly {
    readonly layer: Partial<Dense> & Pick<Dense, 'bias'>;
    readonly parts?: readonly number[];
  }[],
): { readonly weights: Operand; readonly bias: Operand } {
  const how = `${key}${emission.quads ? ', transposed' : ''}`;
  return {
    weights: emission.constant(`matrices of ${how}`, names, emission.element, (w) =>
      concatFloats(
        layers(w).flatMap(({ layer: { rows, bias }, parts }) => {
          const cIn = (rows?.length ?? 0) / bias.length;
          return rows ? [packMatrices(rows, bias.length, cIn, emission, parts)] : [];
        }),
      ),
    ),
    bias: emission.constant(`biases of ${key}`, names, emission.element, (w) =>
      concatFloats(layers(w).map(({ layer: { bias } }) => packBias(bias, bias.length))),
    ),
  };
}

function emitPixelLayer(emission: Emission, op: FusedOpOf<'pixelLayer'>): void {
  const { conv, norm, next, reads, writes } = op;
  const shape = emission.map(writes.y);
  const parts = reads.x.map((id) => emission.map(id).channels);
  const channels = conv.cOut + (next?.conv.cOut ?? 0);
  const kernel = pixelLayerKernel(
    {
      parts,
      channels,
      epsilon: norm?.epsilon ?? null,
      activation: next?.activation ?? op.activation,
      active: next ? conv.cOut : 0,
    },
    emission,
    emission.element,
  );
  const [x0, x1 = x0, x2 = x0, x3 = x0] = reads.x.map((id) => emission.read(id));
  const key = `layers of ${parts.join('+')}${next ? ` from ${next.first}` : ''}`;
  const both = constants(emission, key, [...namesOf(op), ...namesOf(next)], (w) => {
    const own = dense(w, op);
    return [{ layer: next ? stacked(own, dense(w, next), next.first) : own, parts }];
  });
  const bytes = emission.mapBytes({ ...shape, channels });
  const written = next
    ? emission.scratch(`${op.name}, ${emission.name(writes.next as ValueId)}`, bytes)
    : emission.write(writes.y);
  if (next) {
    emission.place(writes.y, { resource: written }, 0);
    emission.place(writes.next as ValueId, { resource: written }, conv.cOut / 4);
  }
  emission.dispatch({
    name: op.name,
    kernel,
    reads: { x0, x1, x2, x3, ...both },
    writes: { next: written },
    scale: shape.scale,
    reduced: shape.reduced,
    grid: ({ width, height }) => pixelGrid(width, height),
    params: mapParams,
    multiplyAdds: op.multiplyAdds,
    work: op.multiplyAdds + memoryWork(conv.cIn + channels, shape.scale),
  });
}

/**
 * Merges two 1x1 convolutions into one that returns the results of both. The second convolution
 * (`next`) reads a range of channels from the result of the other (`own`). The parameter `first` is
 * the index of this range's first channel.
 */
function stacked(own: Dense, next: Dense, first: number): Dense {
  const inner = next.rows.length / next.bias.length;
  const columns = own.rows.length / own.bias.length;
  const read = own.rows.subarray(first * columns, (first + inner) * columns);
  const shift = product(next.rows, own.bias.subarray(first, first + inner), inner, 1);
  return {
    rows: Float32Array.from([...own.rows, ...product(next.rows, read, inner, columns)]),
    bias: Float32Array.from([...own.bias, ...next.bias.map((b, o) => b + shift[o])]),
  };
}

/**
 * Returns what to add to a step whose kernel also computes the layer `next`: a buffer for that
 * layer's output, the layer's weights, and the work of writing the output. If `next` is null, there
 * is nothing to add.
 */
function followed(emission: Emission, next: PixelLayer | null, id: ValueId | null) {
  const writes = id === null ? {} : { next: emission.write(id) };
  const layers = (w: NetworkWeights) => (next ? [{ layer: dense(w, next) }] : []);
  return { writes, layers, work: next ? memoryWork(next.conv.cOut, 1) : 0 };
}

function emitGatedProjection(emission: Emission, op: FusedOpOf<'gatedProjection'>): void {
  const { reads, depthwise, activation, conv, next } = op;
  const { cIn, cOut } = conv;
  const follow = followed(emission, next, op.writes.next);
  const names = [depthwise.bias, conv.weight, conv.bias, ...namesOf(next)];
  const both = constants(emission, `gated projection of ${cIn}`, names, (w) => [
    { layer: { bias: optional(w, depthwise.bias) ?? new Float32Array(2 * cIn) } },
    { layer: dense(w, { conv, norm: null }) },
    ...follow.layers(w),
  ]);
  const step = writesMap(emission, op);
  emission.dispatch({
    ...step,
    kernel: gatedProjectionKernel(
      { hidden: cIn, channels: cOut, activation, next: nextOf(next) },
      emission,
      emission.element,
    ),
    reads: {
      x: emission.read(reads.x),
      taps: depthwiseTaps(emission, depthwise, 2 * cIn, 3),
      ...both,
      r: emission.read(reads.r),
    },
    writes: { ...step.writes, ...follow.writes } as never,
    grid: ({ width, height }) => columnGrid(width, height),
    work: op.multiplyAdds + memoryWork(2 * cIn + 2 * cOut, step.scale) + follow.work,
  });
}

function emitNormedAttention(emission: Emission, op: FusedOpOf<'normedAttention'>): void {
  const { reads, writes, grouping, channels, norm, rows, table, out, next } = op;
  const isOwn = writes.scores !== null;
  const x = emission.read(reads.x);
  const names = [...normNames(norm), rows.weight, out.weight, out.bias, ...namesOf(next)];
  const follow = followed(emission, next, writes.next);
  const key = `attention of ${channels}${isOwn ? ' with scores' : ''}`;
  const both = constants(emission, key, names, (w) => [
    { layer: valuesOf(w, op) },
    ...(isOwn ? [{ layer: queriesOf(w, op) }] : []),
    ...follow.layers(w),
  ]);
  const kernel = normedAttentionKernel(
    {
      grouping,
      channels,
      epsilon: norm.epsilon,
      own: isOwn ? { table: table !== null } : null,
      next: nextOf(next),
    },
    emission,
    emission.element,
  );
  const step = writesMap(emission, op);
  const scores = isOwn
    ? emission.assign(
        writes.scores as ValueId,
        emission.scratch(emission.name(writes.scores as ValueId), (size) =>
          scoreBytes({ grouping, heads: 1, merge: 1 }, mapSize(emission.map(writes.y), size)),
        ),
      )
    : null;
  emission.dispatch({
    ...step,
    kernel: kernel as never,
    reads: {
      x,
      ...both,
      ...(isOwn
        ? { table: positions(emission, table, x) }
        : { scores: emission.read(reads.scores as ValueId) }),
    } as never,
    writes: { ...step.writes, ...(scores !== null && { scores }), ...follow.writes } as never,
    grid: ({ width, height }: Size) => groupGrid(grouping, width, height, 1),
    params: (size: Size) => ({ ...mapParams(size), spread: grouping.kind === 'spread' ? 1 : 0 }),
    work: op.multiplyAdds + memoryWork(2 * channels, step.scale) + follow.work,
  });
}

/** Combines the value layer and the output layer into one layer that reads normalised pixels. */
function valuesOf(
  w: NetworkWeights,
  { norm, rows, out, channels: n }: FusedOpOf<'normedAttention'>,
): Dense {
  const all = exact(w, rows.weight);
  const values = all.subarray(all.length - n * n);
  const whole = product(exact(w, out.weight), values, n, n);
  const [factors, shifts] = [exact(w, norm.weight), exact(w, norm.bias)];
  const shift = product(whole, shifts, n, 1);
  const bias = optional(w, out.bias);
  return {
    rows: Float32Array.from(whole, (v, i) => v * factors[i % n]),
    bias: Float32Array.from(shift, (v, o) => v + (bias?.[o] ?? 0)),
  };
}

/**
 * Combines the query layer and the key layer into one layer with the weights `Q` and the bias `b`.
 * Let `v` be the normalised pixel that the query `q` is computed from, `u` the one that the key `k`
 * is computed from, and `n` the number of channels. Then `q.k / sqrt(n)` is `(Q * v + b).u` plus a
 * term that depends only on `v`. This term is the same for all keys, so the softmax cancels it.
 */
function queriesOf(
  w: NetworkWeights,
  { norm, rows, channels: n }: FusedOpOf<'normedAttention'>,
): Dense {
  const all = exact(w, rows.weight);
  const [queries, keys] = [all.subarray(0, n * n), all.subarray(n * n, 2 * n * n)];
  const transposed = keys.map((_, i) => keys[(i % n) * n + Math.floor(i / n)]);
  const whole = product(transposed, queries, n, n);
  const [factors, shifts] = [exact(w, norm.weight), exact(w, norm.bias)];
  const shift = product(whole, shifts, n, 1);
  const scale = 1 / Math.sqrt(n);
  return {
    rows: Float32Array.from(
      whole,
      (v, i) => v * factors[i % n] * factors[Math.floor(i / n)] * scale,
    ),
    bias: Float32Array.from(shift, (v, o) => v * factors[o] * scale),
  };
}

function emitProjectedAttention(emission: Emission, op: FusedOpOf<'projectedAttention'>): void {
  const { grouping, temperature, conv, reads } = op;
  emission.dispatch({
    ...writesMap(emission, op),
    kernel: channelAttentionKernel(
      { grouping, heads: 1, channels: conv.cIn },
      true,
      emission.element,
    ),
    reads: {
      x: emission.read(reads.x),
      temperature: emission.plain(temperature),
      weights: emission.plain(conv.weight),
      r: emission.read(reads.r),
    },
    grid: ({ width, height }) => groupGrid(grouping, width, height, 1),
    work: op.multiplyAdds,
  });
}

function emitWeighedProjection(emission: Emission, op: FusedOpOf<'weighedProjection'>): void {
  const { reads, depthwise, activation, reduce, inner, expand, conv } = op;
  const { cIn, cOut } = conv;
  const { element } = emission;
  const map = emission.map(reads.x);
  const { scale } = map;
  const grid = ({ width, height }: Size) => columnGrid(width, height, blocksOf(cIn));
  const chunks = (size: Size) => {
    const [x, y] = grid(size);
    return x * y;
  };
  const u = emission.scratch(`${op.name}:u`, emission.mapBytes(map));
  const partials = emission.scratch(
    `${op.name}:partials`,
    (size) => chunks(mapSize(map, size)) * blocksOf(cIn) * 16,
  );
  emission.dispatch({
    name: `${op.name}:u`,
    kernel: depthwiseSumsKernel(cIn, activation, element),
    reads: {
      x: emission.read(reads.x),
      weights: depthwiseTaps(emission, depthwise, cIn, 3),
      bias: layerBias(emission, { ...depthwise, cOut: cIn }),
    },
    writes: { y: u, partials },
    scale,
    grid,
    params: mapParams,
    multiplyAdds: 9 * cIn * scale ** 2,
    work: 9 * cIn * scale ** 2 + memoryWork(2 * cIn, scale),
  });
  const spec: ConvSpec = {
    ...{ kernel: 1, cIn, cOut, upsample: 1, act0: null, multiply: false },
    ...{ add: true, factor: 1, act1: null },
  };
  const wanted = emission.conv(spec);
  // The convolution's weights are computed on the GPU: `weighedWeightsKernel` writes them to a
  // storage buffer, as matrices. If the preferred kernel variant (`wanted`) needs its weights in
  // another form, `plainConv` is used instead.
  const { packing } = wanted;
  const transposed = packing?.name === 'transposed';
  const isPlain = (wanted.only ?? element) === element && (!packing || transposed);
  const variant = isPlain && !wanted.kernel(spec, element).uniforms ? wanted : plainConv;
  const isTransposed = transposed && variant === wanted;
  const weighed = emission.scratch(
    `${op.name}:weights`,
    () => blocksOf(cIn) * blocksOf(cOut) * 16 * ELEMENT_BYTES[element],
  );
  const matrices = { quads: isTransposed };
  emission.dispatch({
    name: `${op.name}:weights`,
    kernel: weighedWeightsKernel(
      {
        lengthIn: cIn,
        hidden: reduce.lengthOut,
        channels: cOut,
        inner,
        transposed: isTransposed,
      },
      element,
    ),
    reads: {
      partials: { resource: partials },
      w1: emission.plain(reduce.weight),
      w2: emission.plain(expand.weight),
      weights: emission.constant(
        `matrices${isTransposed ? ', transposed' : ''}`,
        [conv.weight],
        element,
        (w) => packMatrices(exact(w, conv.weight), cOut, cIn, matrices),
      ),
    },
    writes: { weighed },
    scale,
    grid: () => [1, 1, 1],
    params: (size) => ({ pixels: pixelsOf(size), chunks: chunks(size) }),
    sums: poolSums(cIn),
  });
  const { writes, ...step } = writesMap(emission, op);
  emission.dispatch({
    ...step,
    // The type of `writes` requires `partials`, but only pooling kernels write to it. This kernel
    // does not pool, so the buffer of `y` serves as a placeholder.
    writes: { ...writes, partials: writes.y },
    kernel: variant.kernel(spec, element),
    reads: {
      x: { resource: u },
      weights: { resource: weighed },
      bias: layerBias(emission, conv),
      multiplier: { resource: u },
      addend: emission.read(reads.r),
    },
    grid: ({ width, height }) => variant.grid(spec, width, height),
    params: ({ width, height }) => convParams(spec, width, height),
    multiplyAdds: conv.cIn * conv.cOut * scale ** 2,
    work: conv.cIn * conv.cOut * scale ** 2 + memoryWork(cIn + cOut, scale),
  });
}

function emitSpatialGate(emission: Emission, op: FusedOpOf<'spatialGate'>): void {
  const { reads, direct, gate } = op;
  const small = emission.reducedSize(reads.small);
  const layers: readonly ConvLayer[] = [direct, gate];
  const names = layers.flatMap(({ weight, bias }) => [weight, bias]);
  const both = constants(emission, 'spatial gate', names, (w) =>
    layers.map((conv) => ({ layer: dense(w, { conv, norm: null }) })),
  );
  emission.dispatch({
    ...writesMap(emission, op),
    kernel: spatialGateKernel([direct.cIn, gate.cIn, gate.cOut], emission, emission.element),
    reads: {
      x: emission.read(reads.small),
      a: emission.read(reads.a),
      ...both,
      map: emission.read(reads.x),
    },
    grid: ({ width, height }) => spatialGateGrid(width, height),
    params: (size) => {
      const { width, height } = small(size);
      return { ...mapParams(size), in_width: width, in_height: height };
    },
    work: op.multiplyAdds + memoryWork(2 * gate.cOut, 1),
  });
}
