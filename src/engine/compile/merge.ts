/**
 * Merges fused transformer ops into larger ops for the GPU backend. One kernel can compute a merged
 * op, because each invocation holds all channels of its pixels. This module is loaded lazily.
 */

import { paddingOf } from '../../graph/analysis.ts';
import type { NodeId } from '../../graph/graph.ts';
import { windowOf } from '../../graph/transformerOp.ts';
import { blocksOf, ELEMENT_BYTES, type ElementType } from '../../kernels/kernel.ts';
import {
  type ConvOp,
  convLayer,
  type FusedGraph,
  type FusedOp,
  type FusedOpOf,
  linearLayer,
  mapShape,
  type NormLayer,
  type PixelLayer,
  readsOf,
  sumOf,
  type ValueId,
  writesOf,
} from './fused.ts';

/** The maximum number of channels per pixel that an invocation can hold. */
const MAX_CHANNELS = 64;
/** The maximum number of maps that `pixelLayer` can bind. */
const MAX_MAPS = 4;
/** On every device, a buffer can be bound at offsets that are multiples of this number of bytes. */
const ALIGNMENT = 256;

/**
 * Returns a copy of `fused` in which ops are merged where possible. The values in `keep` are still
 * written to memory and do not disappear inside merged ops.
 */
export function merge(
  fused: FusedGraph,
  keep: ReadonlySet<NodeId>,
  element: ElementType = 'f32',
): FusedGraph {
  return new Merger(fused, keep, element).merged();
}

/** A 1x1 convolution that reads one map without enlargement. */
type Layer = ConvOp & { readonly kernel: 1 };
/** A layer whose epilogue does nothing but add the map `reads.addend`. */
type Residual = Layer & { readonly reads: { readonly addend: ValueId } };

class Merger {
  readonly #fused: FusedGraph;
  readonly #keep: ReadonlySet<NodeId>;
  readonly #element: ElementType;
  readonly #writers = new Map<ValueId, FusedOp>();
  readonly #readers = new Map<ValueId, FusedOp[]>();
  /**
   * Maps each replaced op to its replacement, or to null if the op is dropped because another op's
   * replacement does its work.
   */
  readonly #replaced = new Map<FusedOp, FusedOp | null>();

  constructor(fused: FusedGraph, keep: ReadonlySet<NodeId>, element: ElementType) {
    this.#fused = fused;
    this.#keep = keep;
    this.#element = element;
    for (const op of fused.ops) this.#link(op);
  }

  merged(): FusedGraph {
    const { ops } = this.#fused;
    const each = (rule: (op: FusedOp) => void) => {
      for (const op of ops) if (!this.#replaced.has(op)) rule(op);
    };
    each((op) => {
      if (op.op === 'groupMix') this.#attention(op);
      else if (op.op === 'channelAttention') this.#projected(op);
      else if (op.op === 'globalAveragePool') this.#weighed(op);
      else if (op.op === 'resize') this.#gate(op);
      else if (isResidual(op)) this.#gatedProjection(op);
    });
    each((op) => {
      if (op.op === 'conv') this.#pixelLayer(op);
    });
    for (const op of ops) {
      const own = this.#replaced.get(op);
      if (own?.op === 'gatedProjection' || own?.op === 'normedAttention') this.#follow(op, own);
    }
    each((op) => {
      if (op.op === 'slice') this.#view(op);
    });
    return {
      ...this.#fused,
      ops: ops
        .map((op) => (this.#replaced.has(op) ? (this.#replaced.get(op) ?? null) : op))
        .filter((op) => op !== null),
    };
  }

  #link(op: FusedOp): void {
    for (const id of writesOf(op)) this.#writers.set(id, op);
    for (const id of readsOf(op)) this.#readers.set(id, [...(this.#readers.get(id) ?? []), op]);
  }

  /**
   * Replaces the op `at` with the merged op `op`, and drops the ops in `inner`, which `op`
   * includes.
   */
  #replace(at: FusedOp, op: FusedOp, inner: readonly FusedOp[]): void {
    for (const absorbed of inner) this.#replaced.set(absorbed, null);
    this.#replaced.set(at, op);
  }

  /**
   * Returns the op that writes the value `id`. Returns null if this op is not of kind `kind` or is
   * already replaced, if the value is in `keep` or is the graph's output, or if several ops read
   * the value.
   */
  #inner<K extends FusedOp['op']>(id: ValueId | null, kind: K): FusedOpOf<K> | null {
    return id !== null && this.#isPrivate(id) ? this.#writer(id, kind) : null;
  }

  #writer<K extends FusedOp['op']>(id: ValueId, kind: K): FusedOpOf<K> | null {
    const op = this.#writers.get(id);
    return op?.op === kind && !this.#replaced.has(op) ? (op as FusedOpOf<K>) : null;
  }

  #isPrivate(id: ValueId): boolean {
    return this.#isFree(id) && this.#readers.get(id)?.length === 1;
  }

  /** Whether a value is needed only inside the graph. */
  #isFree(id: ValueId): boolean {
    return !this.#keep.has(id) && id !== this.#fused.graph.output;
  }

  #onlyReader(id: ValueId): FusedOp | null {
    const [op] = this.#readers.get(id) ?? [];
    return op && this.#isPrivate(id) && !this.#replaced.has(op) ? op : null;
  }

  #channels(id: ValueId): number {
    return mapShape(this.#fused.graph, id).channels;
  }

  /**
   * Merges the ops of `conv(activation(u) * v) + r` into one. A depthwise convolution writes `u` to
   * the first half of its output channels and `v` to the second half.
   */
  #gatedProjection(conv: Residual): void {
    const { addend, x } = conv.reads;
    const gated = this.#inner(x[0], 'pointwise');
    if (gated?.fn !== 'mul' || gated.activation || gated.reads.b === null) return;
    const active = this.#inner(gated.reads.a, 'pointwise');
    const gate = active?.fn === 'copy' ? this.#inner(active.reads.a, 'slice') : null;
    const value = this.#inner(gated.reads.b, 'slice');
    if (!active || !gate || !value) return;
    const [local] = gate.reads.inputs;
    const depthwise = this.#writer(local, 'depthwise');
    const n = conv.cIn;
    const halves =
      value.reads.inputs[0] === local &&
      [gate, value].every(({ count }) => count === n) &&
      gate.first === 0 &&
      value.first === n &&
      this.#channels(local) === 2 * n;
    const sound = depthwise?.kernel === 3 && halves && this.#isFree(local);
    const fits = Math.max(n, conv.cOut) <= MAX_CHANNELS && n % 4 === 0;
    if (!sound || !fits) return;
    if (this.#readers.get(local)?.length !== 2) return;
    this.#replace(
      conv,
      {
        op: 'gatedProjection',
        name: conv.name,
        reads: { x: depthwise.reads.inputs[0], r: addend },
        writes: { y: conv.writes.y, next: null },
        depthwise: { weight: depthwise.weight, bias: depthwise.bias },
        activation: active.activation,
        conv: convLayer(conv),
        next: null,
        multiplyAdds: sumOf([conv, depthwise]),
      },
      [gated, active, gate, value, depthwise],
    );
  }

  /**
   * Merges the ops of `x + out(mix(values(norm(x)), scores))` into one. If the result of `values`
   * also contains the queries and keys, the op that computes the scores from them is merged too.
   */
  #attention(mix: FusedOpOf<'groupMix'>): void {
    const { grouping, heads, merge, channels, first } = mix;
    const [values, table] = mix.reads.inputs;
    const rows = this.#writer(values, 'conv');
    if (!rows || !isLayer(rows) || !isBare(rows) || rows.bias !== null) return;
    const norm = this.#inner(rows.reads.x[0], 'layerNorm');
    const out = this.#onlyReader(mix.writes.y);
    const whole = !grouping.shift && !grouping.multiple && windowOf(grouping).tokens === 64;
    if (!norm || grouping.kind === 'grid' || !whole || heads !== 1 || merge !== 1) return;
    if (!isResidual(out)) return;
    const [x] = norm.reads.inputs;
    const square = [norm, out].every(({ writes }) => this.#channels(writes.y) === channels);
    if (out.reads.addend !== x || !square || channels > MAX_ATTENTION) return;
    const scores = this.#writer(table, 'groupScores');
    const own = scores?.reads.inputs.every((id) => id === values) ? scores : null;
    const readers = this.#readers.get(values)?.length;
    if (own) {
      const sizes = own.query === 0 && own.key === channels && first === 2 * channels;
      if (!sizes || readers !== 3 || own.channels !== channels) return;
    } else if (first !== 0 || readers !== 1 || rows.cOut !== channels) return;
    if (!this.#isFree(values)) return;
    const inner = own ? [own] : [];
    this.#replace(
      out,
      {
        op: 'normedAttention',
        name: out.name,
        reads: { x, scores: own ? null : table },
        writes: { y: out.writes.y, scores: own ? table : null, next: null },
        grouping,
        channels,
        norm: normOf(norm),
        rows: convLayer(rows),
        table: own?.table ?? null,
        out: convLayer(out),
        next: null,
        multiplyAdds: sumOf([mix, rows, out, ...inner]),
      },
      [mix, rows, norm, ...inner],
    );
  }

  /** Merges `r + conv(channelAttention(x))`. */
  #projected(attention: FusedOpOf<'channelAttention'>): void {
    const { grouping, heads, temperature, reads, writes } = attention;
    const conv = this.#onlyReader(writes.y);
    if (!isResidual(conv) || conv.bias !== null) return;
    const isWhole = grouping.kind === 'grid' && grouping.side === 1;
    const fits = conv.cIn <= MAX_PROJECTED && conv.cOut === conv.cIn && conv.cIn % 4 === 0;
    if (heads !== 1 || isWhole || !fits) return;
    this.#replace(
      conv,
      {
        op: 'projectedAttention',
        name: conv.name,
        reads: { x: reads.inputs[0], r: conv.reads.addend },
        writes: conv.writes,
        grouping,
        temperature,
        conv: convLayer(conv),
        multiplyAdds: sumOf([attention, conv]),
      },
      [attention],
    );
  }

  /** Merges `r + conv(u * sigmoid(expand(inner(reduce(mean(u))))))`. */
  #weighed(pool: FusedOpOf<'globalAveragePool'>): void {
    const chain: FusedOp[] = [];
    for (let op = this.#onlyReader(pool.writes.y); op; ) {
      chain.push(op);
      const [y] = writesOf(op);
      op = y === undefined || chain.length > 5 ? null : this.#onlyReader(y);
    }
    const [reduce, inner, expand, sigmoid, scale, conv] = chain;
    const [u] = pool.reads.inputs;
    const active = this.#writer(u, 'pointwise');
    const depthwise = active?.fn === 'copy' ? this.#inner(active.reads.a, 'depthwise') : null;
    if (
      pool.inset ||
      !active?.activation ||
      depthwise?.kernel !== 3 ||
      !this.#isFree(u) ||
      this.#readers.get(u)?.length !== 2 ||
      reduce?.op !== 'linear' ||
      reduce.bias !== null ||
      inner?.op !== 'vectorActivation' ||
      expand?.op !== 'linear' ||
      expand.bias !== null ||
      sigmoid?.op !== 'vectorActivation' ||
      sigmoid.activation.fn !== 'sigmoid' ||
      scale?.op !== 'scaleChannels' ||
      scale.reads.inputs[0] !== u ||
      !isResidual(conv) ||
      Math.max(conv.cIn, reduce.lengthOut) > 256
    ) {
      return;
    }
    this.#replace(
      conv,
      {
        op: 'weighedProjection',
        name: conv.name,
        reads: { x: depthwise.reads.inputs[0], r: conv.reads.addend },
        writes: conv.writes,
        depthwise: { weight: depthwise.weight, bias: depthwise.bias },
        activation: active.activation,
        reduce: linearLayer(reduce, conv.cIn),
        inner: inner.activation,
        expand: linearLayer(expand, reduce.lengthOut),
        conv: convLayer(conv),
        multiplyAdds: sumOf([depthwise, conv]),
      },
      [active, depthwise, pool, ...chain.slice(0, -1)],
    );
  }

  /** Merges `x * sigmoid(gate(resize(small) + direct(a)))`. */
  #gate(resize: FusedOpOf<'resize'>): void {
    const sum = this.#onlyReader(resize.writes.y);
    if (!isResidual(sum)) return;
    const gate = this.#onlyReader(sum.writes.y);
    if (!gate || !isLayer(gate) || gate.act0?.fn !== 'sigmoid' || gate.act1) return;
    const { multiplier, addend } = gate.reads;
    const [small, a] = resize.reads.inputs;
    const same = sum.reads.addend === resize.writes.y && sum.reads.x[0] === a;
    const fits = Math.max(sum.cIn, gate.cIn) <= MAX_CHANNELS;
    if (!same || !fits || multiplier === null || addend !== null) return;
    this.#replace(
      gate,
      {
        op: 'spatialGate',
        name: gate.name,
        reads: { x: multiplier, small, a },
        writes: gate.writes,
        direct: convLayer(sum),
        gate: convLayer(gate),
        multiplyAdds: sumOf([sum, gate]),
      },
      [resize, sum],
    );
  }

  /**
   * Merges a 1x1 convolution and the normalisation of its input into a `pixelLayer`. A convolution
   * that reads several maps also becomes a `pixelLayer`. In this case, a second 1x1 convolution
   * that reads a slice of the result is merged too.
   */
  #pixelLayer(conv: ConvOp): void {
    if (conv.kernel !== 1 || !isBare(conv)) return;
    const { x } = conv.reads;
    const norm = x.length === 1 ? this.#inner(x[0], 'layerNorm') : null;
    const maps = norm ? norm.reads.inputs : x;
    const blocks = maps.reduce((sum, id) => sum + blocksOf(this.#channels(id)), 0);
    const isUseful = norm !== null || maps.length > 1;
    if (!isUseful || maps.length > MAX_MAPS || blocks > MAX_CHANNELS / 4) return;
    const layer = { ...layerFrom(conv), norm: norm && normOf(norm) };
    const next = norm ? null : this.#next(conv);
    this.#replace(
      conv,
      {
        op: 'pixelLayer',
        name: conv.name,
        reads: { x: maps },
        writes: { y: conv.writes.y, next: next?.conv.writes.y ?? null },
        ...layer,
        next: next && { ...layerFrom(next.conv), norm: null, first: next.first },
        multiplyAdds: conv.multiplyAdds + (next?.conv.multiplyAdds ?? 0),
      },
      [...(norm ? [norm] : []), ...(next ? [next.conv] : [])],
    );
  }

  /** Finds a layer that reads a slice of `conv`'s result. */
  #next(conv: ConvOp): { readonly conv: ConvOp; readonly first: number } | null {
    const { y } = conv.writes;
    if (!this.#isFree(y) || conv.cOut % 4 !== 0 || conv.act0 !== null) return null;
    for (const slice of this.#readers.get(y) ?? []) {
      if (slice.op !== 'slice' || !this.#isView(slice)) continue;
      const next = this.#readers
        .get(slice.writes.y)
        ?.find((op): op is Layer => isLayer(op) && isBare(op));
      const isOpen = next && !this.#replaced.has(next) && this.#isFree(next.writes.y);
      if (isOpen) return { conv: next, first: slice.first };
    }
    return null;
  }

  /**
   * Extends the merged op `op` with the `pixelLayer` that normalises its result, if there is
   * exactly one.
   */
  #follow(at: FusedOp, op: FusedOpOf<'gatedProjection' | 'normedAttention'>): void {
    const layers = (this.#readers.get(op.writes.y) ?? [])
      .map((reader) => this.#readersOfNorm(reader))
      .filter((found) => found !== null);
    const [found] = layers;
    if (layers.length !== 1 || !found) return;
    const { conv, own } = found;
    this.#replaced.set(at, {
      ...op,
      writes: { ...op.writes, next: own.writes.y },
      next: { norm: own.norm, conv: own.conv, activation: own.activation },
      multiplyAdds: op.multiplyAdds + own.multiplyAdds,
    } as FusedOp);
    this.#replaced.set(conv, null);
  }

  /**
   * If `op` is a normalisation that `#pixelLayer` has merged with a 1x1 convolution, returns this
   * convolution and the merged op. Otherwise, returns null.
   */
  #readersOfNorm(op: FusedOp) {
    if (op.op !== 'layerNorm') return null;
    const [conv] = this.#readers.get(op.writes.y) ?? [];
    const own = conv && this.#replaced.get(conv);
    return own?.op === 'pixelLayer' && own.norm && !own.next ? { conv, own } : null;
  }

  #view(slice: FusedOpOf<'slice'>): void {
    if (!this.#isView(slice)) return;
    const { name, reads, writes, first } = slice;
    const view = { name, first, reads: { x: reads.inputs[0] }, writes, multiplyAdds: 0 };
    this.#replaced.set(slice, { op: 'view', ...view });
  }

  /**
   * Whether a slice can be replaced with a view of its input. The slice must consist of whole
   * blocks and start at a multiple of `ALIGNMENT` bytes for every tile size.
   */
  #isView({ first, count, reads, writes }: FusedOpOf<'slice'>): boolean {
    const { graph } = this.#fused;
    const { channels, scale, reduced } = mapShape(graph, reads.inputs[0]);
    const ends = count % 4 === 0 || first + count === channels;
    const pixels = (paddingOf(graph).multiple * scale) ** 2;
    const blockBytes = pixels * 4 * ELEMENT_BYTES[this.#element];
    const aligned = first % 4 === 0 && (blockBytes * (first / 4)) % ALIGNMENT === 0;
    return ends && aligned && !reduced && this.#isFree(writes.y);
  }
}

/**
 * The maximum number of channels in a `normedAttention`. Its kernel stores normalised pixels in
 * workgroup memory.
 */
const MAX_ATTENTION = 60;
/** The maximum number of channels that `channelAttentionKernel` supports. */
const MAX_PROJECTED = 60;

const isLayer = (op: FusedOp): op is Layer =>
  op.op === 'conv' && op.kernel === 1 && op.reads.x.length === 1;

/** Whether a convolution's epilogue is empty or a single activation that is not a PReLU. */
const isBare = ({ reads, act0, act1 }: ConvOp): boolean =>
  reads.multiplier === null && reads.addend === null && act0?.fn !== 'prelu' && act1 === null;

const isResidual = (op: FusedOp | null | undefined): op is Residual =>
  !!op &&
  isLayer(op) &&
  op.reads.multiplier === null &&
  op.reads.addend !== null &&
  !op.act0 &&
  !op.act1 &&
  op.factor === 1;

const layerFrom = (op: ConvOp): Omit<PixelLayer, 'norm'> => ({
  conv: convLayer(op),
  activation: op.act0?.fn === 'prelu' ? null : op.act0,
});

const normOf = ({ epsilon, weight, bias }: FusedOpOf<'layerNorm'>): NormLayer => ({
  epsilon,
  weight,
  bias,
});
