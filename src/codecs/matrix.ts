/** A vector of three numbers. */
export type Vector = readonly [number, number, number];
/** A 3x3 matrix, stored as three rows. */
export type Matrix = readonly [Vector, Vector, Vector];

export const dot = ([a, b, c]: Vector, [x, y, z]: Vector): number => a * x + b * y + c * z;

export const times = ([a, b, c]: Matrix, v: Vector): Vector => [dot(a, v), dot(b, v), dot(c, v)];

export const transposed = ([[a, b, c], [d, e, f], [g, h, i]]: Matrix): Matrix => [
  [a, d, g],
  [b, e, h],
  [c, f, i],
];

/**
 * Multiplies two matrices. Applying the product to a vector is the same as applying `second` and
 * then `first`.
 */
export const product = (first: Matrix, second: Matrix): Matrix => {
  const [a, b, c] = transposed(second);
  return transposed([times(first, a), times(first, b), times(first, c)]);
};

/** Inverts a matrix. Returns null if the matrix is singular. */
export function inverse([[a, b, c], [d, e, f], [g, h, i]]: Matrix): Matrix | null {
  const [A, B, C] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const determinant = a * A + b * B + c * C;
  if (!(Math.abs(determinant) > 1e-9)) return null;
  const over = (...v: Vector): Vector => [
    v[0] / determinant,
    v[1] / determinant,
    v[2] / determinant,
  ];
  return [
    over(A, c * h - b * i, b * f - c * e),
    over(B, a * i - c * g, c * d - a * f),
    over(C, b * g - a * h, a * e - b * d),
  ];
}
