/**
 * Everything that the graph knows of its ops: what each computes, and one table of what follows from
 * that. A new op is a compile error until it has its entry.
 */
import type { Activation } from './activations.ts';
import { NONLOCAL, type NonlocalOp, type NonlocalRules } from './nonlocalOp.ts';
import { GraphError, mapOf, type Shape, sameMap, vectorOf } from './shape.ts';

export type { Activation } from './activations.ts';

export type Op =
  /** The LR image, in the network's own range and channel order (RGB). */
  | { readonly op: 'input'; readonly channels: number }
  /** Zero-padded convolution of stride 1; weights oihw under `weight`, [cOut] under `bias`. */
  | {
      readonly op: 'conv';
      readonly kernel: 1 | 3;
      readonly cIn: number;
      readonly cOut: number;
      readonly weight: string;
      readonly bias: string | null;
    }
  /** Element by element, on a feature map or a vector. */
  | { readonly op: 'activation'; readonly activation: Activation }
  /** v >= 0 ? v : slope * v with a slope per channel; weights [channels] under `weight`. */
  | { readonly op: 'prelu'; readonly weight: string }
  /** scale[c] * x + shift[c] with constants of the definition: the shift by a data set's mean. */
  | {
      readonly op: 'affine';
      readonly scale: readonly number[];
      readonly shift: readonly number[];
    }
  /** Product of two feature maps of one shape, element by element. */
  | { readonly op: 'mul' }
  /** a + factor * b of two feature maps of one shape. */
  | { readonly op: 'add'; readonly factor: number }
  /** The channels of 2 to `MAX_PARTS` feature maps of one size, one after the other. */
  | { readonly op: 'concat' }
  /** Channel c * scale^2 + dy * scale + dx at (y, x) -> channel c at (y * scale + dy, x * scale + dx). */
  | { readonly op: 'pixelShuffle'; readonly scale: number }
  /** The inverse of `pixelShuffle`, in the same order of channels. */
  | { readonly op: 'pixelUnshuffle'; readonly scale: number }
  /** Mean over all pixels of each channel: map -> vector. */
  | { readonly op: 'globalAveragePool' }
  /** Matrix times vector without bias; weights [lengthOut, lengthIn] under `weight`. */
  | { readonly op: 'linear'; readonly weight: string; readonly lengthOut: number }
  /** softmax(v / temperature) of a vector. */
  | { readonly op: 'softmax'; readonly temperature: number }
  /** w[0] * a + w[1] * b for two maps of one shape and a vector of two elements. */
  | { readonly op: 'mix' }
  /** Nearest enlargement: output (i, j) takes input (floor(i / scale), floor(j / scale)). */
  | { readonly op: 'nearest'; readonly scale: number }
  /** Bilinear enlargement with half-pixel centres and clamped edges (align_corners false). */
  | { readonly op: 'bilinear'; readonly scale: number }
  /** Non-local attention: see `nonlocalOp.ts`. */
  | { readonly op: 'nonlocal'; readonly spec: NonlocalOp };

/**
 * Maps that one concatenation may join: as many as a kernel can bind beside its other buffers. Kernels
 * of several maps bind so many always; those that they do not need repeat the first.
 */
export const MAX_PARTS = 5;

interface Rules<O extends Op> {
  /**
   * The shape of the value, from those of the inputs.
   * @throws GraphError if they do not fit the op
   */
  readonly shape: (op: O, inputs: readonly Shape[], name: string) => Shape;
  /** Multiply-adds per LR pixel; vectors cost nothing that grows with the image. */
  readonly multiplyAdds: (op: O, shape: Shape, inputs: readonly Shape[]) => number;
  /** The radius in pixels that it needs of its inputs to give radius `r` of its value. */
  readonly reach: (op: O, r: number) => number;
  /**
   * Whether each value depends on the whole image: on its `means`, which a pass over the image can find
   * beforehand, or on single `pixels` anywhere. Null: on what lies within reach.
   */
  readonly global: (op: O) => 'means' | 'pixels' | null;
}

/** Of ops that work pixel by pixel. */
const local = {
  multiplyAdds: () => 0,
  reach: (_: Op, r: number) => r,
  global: () => null,
};

/** An op of one kind. */
export type OpOf<K extends Op['op']> = Extract<Op, { readonly op: K }>;

const OPS: { readonly [K in Op['op']]: Rules<OpOf<K>> } = {
  input: {
    ...local,
    shape: ({ channels }) => ({ kind: 'map', channels, scale: 1 }),
  },
  conv: {
    ...local,
    shape: ({ cIn, cOut }, [x], name) => {
      const { channels, scale } = mapOf(x, name);
      if (channels !== cIn) throw new GraphError(`${name}: ${channels} channels, not ${cIn}`);
      return { kind: 'map', channels: cOut, scale };
    },
    multiplyAdds: ({ kernel, cIn, cOut }, shape) =>
      shape.kind === 'map' ? kernel ** 2 * cIn * cOut * shape.scale ** 2 : 0,
    reach: ({ kernel }, r) => r + (kernel >> 1),
  },
  activation: { ...local, shape: (_, [x]) => x },
  prelu: { ...local, shape: (_, [x], name) => mapOf(x, name) },
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
  mul: { ...local, shape: (_, [a, b], name) => sameMap(a, b, name) },
  add: { ...local, shape: (_, [a, b], name) => sameMap(a, b, name) },
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
        throw new GraphError(`${name}: ${shapes.length} maps to join; 2 to ${MAX_PARTS} can be`);
      }
      if (shapes.some(({ scale }) => scale !== first.scale)) {
        throw new GraphError(`${name}: maps of different sizes cannot be joined`);
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
  pixelUnshuffle: {
    ...local,
    shape: ({ scale }, [x], name) => {
      const shape = mapOf(x, name);
      // A power of two, so that the map's scale stays an exact number.
      if (!Number.isInteger(Math.log2(scale)) || scale < 1) {
        throw new GraphError(`${name}: unshuffled by ${scale}, which is no power of two`);
      }
      return { kind: 'map', channels: shape.channels * scale ** 2, scale: shape.scale / scale };
    },
    reach: ({ scale }, r) => r * scale,
  },
  globalAveragePool: {
    ...local,
    shape: (_, [x], name) => ({ kind: 'vector', length: mapOf(x, name).channels }),
    // Vectors carry no radius: what reaches the output through them is `global`.
    reach: () => 0,
    global: () => 'means',
  },
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
      // Outputs -r .. scale - 1 + r read inputs floor((o + 0.5) / scale - 0.5) and the next one.
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

/** What the table has for an op. */
export const opRules = <O extends Op>(op: O): Rules<O> => OPS[op.op] as unknown as Rules<O>;

/** Whether an op looks at pixels that no overlap of tiles can hold. */
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
