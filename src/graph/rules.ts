import type { Shape } from './shape.ts';

/** The entry of one op in the table of `ops.ts`. */
export interface Rules<O> {
  /**
   * Returns the shape of the value, computed from the shapes of the inputs.
   * @throws GraphError if the inputs do not fit the op
   */
  readonly shape: (op: O, inputs: readonly Shape[], name: string) => Shape;
  /**
   * Returns the multiply-adds per LR pixel. Vector ops cost 0, because their cost does not grow
   * with the image.
   */
  readonly multiplyAdds: (op: O, shape: Shape, inputs: readonly Shape[]) => number;
  /** Returns the radius, in pixels of the inputs, that the value needs for its own radius `r`. */
  readonly reach: (op: O, r: number) => number;
  /**
   * Returns whether each value depends on the whole image. `means`: it depends on means, which a
   * pass over the image can compute in advance. `pixels`: it depends on single pixels anywhere.
   * Null: it depends only on pixels within reach.
   */
  readonly global: (op: O) => 'means' | 'pixels' | null;
}

/** The rules of ops that work pixel by pixel. */
export const local = {
  multiplyAdds: () => 0,
  reach: (_: unknown, r: number) => r,
  global: () => null,
};
