import type { Shape } from './shape.ts';

/** One op's entry in the table in `ops.ts`. */
export interface Rules<O> {
  /**
   * Returns the shape of the op's result, computed from the input shapes.
   * @throws GraphError if the inputs do not fit the op
   */
  readonly shape: (op: O, inputs: readonly Shape[], name: string) => Shape;
  /**
   * Returns the multiply-adds per LR pixel. Vector ops count as 0, because their cost does not grow
   * with the image.
   */
  readonly multiplyAdds: (op: O, shape: Shape, inputs: readonly Shape[]) => number;
  /**
   * Returns the radius, in input pixels, of the input area that affects a result area of radius
   * `r`. The effects that `global` describes are not included.
   */
  readonly reach: (op: O, r: number) => number;
  /**
   * Returns how each value of the result depends on the whole image. `means`: it depends on means,
   * which a pass over the image can compute in advance. `pixels`: it depends on individual pixels
   * anywhere in the image. Null: it depends only on pixels within reach.
   */
  readonly global: (op: O) => 'means' | 'pixels' | null;
}

/** The rules that are the same for all ops that work pixel by pixel. */
export const local = {
  multiplyAdds: () => 0,
  reach: (_: unknown, r: number) => r,
  global: () => null,
};
