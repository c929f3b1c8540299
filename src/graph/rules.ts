import { mapOf, type Shape } from './shape.ts';

/** Describes an op: the shape of its result, its cost, and the input pixels on which it depends. */
export interface Rules<O> {
  /**
   * Returns the shape of the op's result, computed from the input shapes.
   * @throws GraphError if the inputs do not fit the op
   */
  readonly shape: (op: O, inputs: readonly Shape[], name: string) => Shape;
  /**
   * Returns the number of multiply-adds per LR pixel. Ops on vectors, such as `linear`, count as 0,
   * because their cost does not depend on the size of the image.
   */
  readonly multiplyAdds: (op: O, shape: Shape, inputs: readonly Shape[]) => number;
  /**
   * Returns the radius, in input pixels, of the input area that affects a result area of radius
   * `r`. The effects that `global` describes are not included.
   */
  readonly reach: (op: O, r: number) => number;
  /**
   * Returns what the op needs from pixels beyond its `reach`. `means` stands for means over the
   * whole image, which a separate pass can compute in advance. `pixels` stands for the values of
   * individual pixels anywhere in the image. Null means that the op needs neither.
   */
  readonly global: (op: O) => 'means' | 'pixels' | null;
  /** Whether the backends can apply the op to reduced maps. */
  readonly readsReduced?: true;
}

/** The rules for each op of the union `O`. */
export type RuleTable<O extends { readonly op: string }> = {
  readonly [K in O['op']]: Rules<Extract<O, { readonly op: K }>>;
};

/** The rules that are the same for all ops that work pixel by pixel. */
export const local: Omit<Rules<unknown>, 'shape'> = {
  multiplyAdds: () => 0,
  reach: (_, r) => r,
  global: () => null,
};

/** The rules of ops that work pixel by pixel and return a map of the same shape. */
export const sameShape: Rules<unknown> = { ...local, shape: (_, [x], name) => mapOf(x, name) };

/** The rules of ops that compute one mean per channel of a map. */
export const pooling: Rules<unknown> = {
  ...local,
  shape: (_, [x], name) => ({ kind: 'vector', length: mapOf(x, name).channels }),
  // A mean depends on the whole image, so no radius can describe which pixels it needs. `global`
  // reports this dependence instead.
  reach: () => 0,
  global: () => 'means',
};
