import type { Shape } from './shape.ts';

/** The entry of one op in the table of `ops.ts`. */
export interface Rules<O> {
  /**
   * The shape of the value, computed from the shapes of the inputs.
   * @throws GraphError if they do not fit the op
   */
  readonly shape: (op: O, inputs: readonly Shape[], name: string) => Shape;
  /**
   * Multiply-adds per LR pixel. Vector ops cost 0, because their cost does not grow with the image.
   */
  readonly multiplyAdds: (op: O, shape: Shape, inputs: readonly Shape[]) => number;
  /** The radius, in pixels of the inputs, that the radius `r` of the value needs. */
  readonly reach: (op: O, r: number) => number;
  /**
   * Whether each value depends on the whole image: on its `means`, which a pass over the image can
   * compute in advance, or on single `pixels` anywhere. Null: only on pixels within reach.
   */
  readonly global: (op: O) => 'means' | 'pixels' | null;
}

/** For ops that work pixel by pixel. */
export const local = {
  multiplyAdds: () => 0,
  reach: (_: unknown, r: number) => r,
  global: () => null,
};
