/**
 * Defines the ops of a graph: what each op computes, and a table of the ops' properties. A new op
 * does not compile until the table has an entry for it.
 */
import type { Activation } from './activations.ts';
import { NONLOCAL, type NonlocalOp, type NonlocalRules } from './nonlocalOp.ts';
import type { PlksrOp } from './plksrOp.ts';
import { local, pooling, type Rules, type RuleTable, sameShape } from './rules.ts';
import { areaOf, GraphError, mapOf, type Shape, sameMap, vectorOf } from './shape.ts';
import type { TransformerOp } from './transformerOp.ts';

export type { Activation } from './activations.ts';

/**
 * How the LR image is padded to become the input: first by `border`, then on the right and at the
 * bottom.
 */
export interface Padding {
  /** The padded width and height are multiples of this number. */
  readonly multiple: number;
  /** The padded width and height are at least this number. */
  readonly least: number;
  /**
   * The number of reflected pixels that are added on each of the four sides before the other
   * padding. If absent, none are added.
   */
  readonly border?: number;
  /** The value of the added pixels, from 0 to 1. If absent, reflected pixels are added. */
  readonly value?: number;
}

export type Op =
  /** The LR image, in the network's input range and channel order (RGB). */
  | { readonly op: 'input'; readonly channels: number; readonly padding?: Padding }
  /**
   * A zero-padded convolution of stride 1. `weight` names the weights (oihw), and `bias` names the
   * bias [cOut].
   */
  | {
      readonly op: 'conv';
      readonly kernel: 1 | 3;
      readonly cIn: number;
      readonly cOut: number;
      readonly weight: string;
      readonly bias: string | null;
    }
  /** An elementwise activation of a feature map or a vector. */
  | { readonly op: 'activation'; readonly activation: Activation }
  /**
   * Computes `v >= 0 ? v : slope * v` for each value `v`, with one slope per channel. `weight`
   * names the slopes [channels].
   */
  | { readonly op: 'prelu'; readonly weight: string }
  /**
   * Computes `scale[c] * v + shift[c]` for each value `v` of channel `c`, with constants from the
   * network's definition, such as a data set's mean.
   */
  | {
      readonly op: 'affine';
      readonly scale: readonly number[];
      readonly shift: readonly number[];
    }
  /** The elementwise product of two feature maps of the same shape. */
  | { readonly op: 'mul' }
  /** Computes `a + factor * b` for two feature maps of the same shape. */
  | { readonly op: 'add'; readonly factor: number }
  /** The concatenated channels of 2 to `MAX_PARTS` feature maps of the same size. */
  | { readonly op: 'concat' }
  /**
   * Moves channel `c * scale^2 + dy * scale + dx` of pixel `(i, j)` to channel `c` of pixel
   * `(i * scale + dy, j * scale + dx)`.
   */
  | { readonly op: 'pixelShuffle'; readonly scale: number }
  /**
   * Reads a map and returns a vector: the mean of each channel over all pixels. If `inset` is
   * given, the mean excludes `inset[0]` rows at the top and as many columns on the left, and
   * `inset[1]` rows at the bottom and as many columns on the right.
   */
  | { readonly op: 'globalAveragePool'; readonly inset?: readonly [first: number, last: number] }
  /**
   * The product of a matrix and a vector, plus an optional bias. The weights are [lengthOut,
   * lengthIn], and the bias is [lengthOut].
   */
  | {
      readonly op: 'linear';
      readonly weight: string;
      readonly bias: string | null;
      readonly lengthOut: number;
    }
  /** Computes `softmax(v / temperature)` for a vector `v`. */
  | { readonly op: 'softmax'; readonly temperature: number }
  /**
   * Computes `w[0] * a + w[1] * b` for two maps of the same shape and a vector `w` of two elements.
   */
  | { readonly op: 'mix' }
  /**
   * Nearest-neighbour enlargement. Output pixel `(i, j)` is input pixel
   * `(floor(i / scale), floor(j / scale))`.
   */
  | { readonly op: 'nearest'; readonly scale: number }
  /** Bilinear enlargement with half-pixel centres and clamped edges (align_corners false). */
  | { readonly op: 'bilinear'; readonly scale: number }
  | TransformerOp
  | PlksrOp
  /** Non-local attention; see `nonlocalOp.ts`. */
  | { readonly op: 'nonlocal'; readonly spec: NonlocalOp };

/**
 * The maximum number of maps in one concatenation. A kernel can bind this many maps in addition to
 * its other buffers. Kernels that read concatenated maps always have this many bindings for them.
 * Unused bindings repeat the first map.
 */
export const MAX_PARTS = 5;

/** An op of one kind. */
export type OpOf<K extends Op['op']> = Extract<Op, { readonly op: K }>;

/**
 * Ops that few networks use. `TransformerBuilder` and `PlksrBuilder`, which append these ops to a
 * graph, register the ops' rules with `addOps`.
 */
type Later = TransformerOp | PlksrOp;

const pairwise: Rules<unknown> = {
  ...local,
  shape: (_, [a, b], name) => sameMap(a, b, name),
};

const OPS: RuleTable<Exclude<Op, Later>> = {
  input: {
    ...local,
    shape: ({ channels }) => ({ kind: 'map', channels, scale: 1 }),
  },
  conv: {
    ...local,
    shape: ({ cIn, cOut }, [x], name) => {
      const shape = mapOf(x, name);
      if (shape.channels !== cIn) {
        throw new GraphError(`${name}: ${shape.channels} channels, not ${cIn}`);
      }
      return { ...shape, channels: cOut };
    },
    multiplyAdds: ({ kernel, cIn, cOut }, shape) => kernel ** 2 * cIn * cOut * areaOf(shape),
    reach: ({ kernel }, r) => r + (kernel >> 1),
    readsReduced: true,
  },
  activation: { ...local, shape: (_, [x]) => x },
  prelu: sameShape,
  affine: {
    ...local,
    shape: ({ scale, shift }, [x], name) => {
      const shape = mapOf(x, name);
      if (scale.length !== shape.channels || shift.length !== shape.channels) {
        throw new GraphError(`${name}: ${scale.length} factors for ${shape.channels} channels`);
      }
      return shape;
    },
  },
  mul: pairwise,
  add: pairwise,
  mix: {
    ...local,
    shape: (_, [a, b, weights], name) => {
      if (vectorOf(weights, name).length !== 2) {
        throw new GraphError(`${name}: a mix takes a vector of two weights`);
      }
      return sameMap(a, b, name);
    },
  },
  concat: {
    ...local,
    shape: (_, inputs, name) => {
      const shapes = inputs.map((part) => mapOf(part, name));
      const [first] = shapes;
      if (first === undefined || shapes.length < 2 || shapes.length > MAX_PARTS) {
        throw new GraphError(
          `${name}: ${shapes.length} maps to concatenate; 2 to ${MAX_PARTS} are possible`,
        );
      }
      if (shapes.some(({ scale }) => scale !== first.scale)) {
        throw new GraphError(`${name}: maps of different sizes cannot be concatenated`);
      }
      return { ...first, channels: shapes.reduce((sum, { channels }) => sum + channels, 0) };
    },
  },
  pixelShuffle: {
    ...local,
    shape: ({ scale }, [x], name) => {
      const shape = mapOf(x, name);
      const channels = shape.channels / scale ** 2;
      if (!isFactor(scale) || !Number.isInteger(channels)) {
        throw new GraphError(`${name}: ${shape.channels} channels cannot be shuffled by ${scale}`);
      }
      return { kind: 'map', channels, scale: shape.scale * scale };
    },
    reach: ({ scale }, r) => Math.ceil(r / scale),
  },
  globalAveragePool: pooling,
  linear: {
    ...local,
    shape: ({ lengthOut }, [x], name) => {
      vectorOf(x, name);
      return { kind: 'vector', length: lengthOut };
    },
  },
  softmax: { ...local, shape: (_, [x], name) => vectorOf(x, name) },
  nearest: {
    ...local,
    shape: enlarged,
    reach: ({ scale }, r) => Math.ceil(r / scale),
  },
  bilinear: {
    ...local,
    shape: enlarged,
    reach: ({ scale }, r) => {
      // For `o` from `-r` to `scale - 1 + r`, output pixel `o` reads input pixel
      // `floor((o + 0.5) / scale - 0.5)` and the next one.
      const source = (o: number) => Math.floor((o + 0.5) / scale - 0.5);
      return Math.max(-source(-r), source(scale - 1 + r) + 1);
    },
  },
  nonlocal: {
    shape: ({ spec }, inputs, name) => rulesOf(spec).shape(spec, inputs, name),
    multiplyAdds: ({ spec }, _, inputs) => rulesOf(spec).multiplyAdds?.(spec, inputs) ?? 0,
    reach: ({ spec }, r) => r + (rulesOf(spec).reach ?? 0),
    global: ({ spec }) => (rulesOf(spec).global?.(spec) ? 'pixels' : null),
  },
};

const known = new Map<string, unknown>(Object.entries(OPS));

/** Registers the rules of ops that few networks use (`Later`), so that `opRules` finds them. */
export function addOps(rules: Partial<RuleTable<Later>>): void {
  for (const [op, rule] of Object.entries(rules)) known.set(op, rule);
}

/**
 * Returns the table's entry for an op.
 * @throws GraphError if the entry is not loaded
 */
export function opRules<O extends Op>(op: O): Rules<O> {
  const rules = known.get(op.op);
  if (!rules) throw new GraphError(`the rules of ${op.op} are not loaded`);
  return rules as Rules<O>;
}

/**
 * Returns whether a result pixel of the op can depend on input pixels at any distance. If so, no
 * tile overlap is large enough.
 */
export function looksFar(op: Op): boolean {
  const rules = opRules(op);
  return rules.global(op) === 'pixels' || rules.reach(op, 0) === Number.POSITIVE_INFINITY;
}

const rulesOf = (spec: NonlocalOp) => NONLOCAL[spec.kind] as NonlocalRules<NonlocalOp>;

const isFactor = (scale: number): boolean => Number.isInteger(scale) && scale >= 1;

function enlarged({ scale }: { scale: number }, [x]: readonly Shape[], name: string): Shape {
  const shape = mapOf(x, name);
  if (!isFactor(scale)) throw new GraphError(`${name}: scale ${scale}`);
  return { ...shape, scale: shape.scale * scale };
}
