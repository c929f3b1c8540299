/** Decodes an sRGB value (IEC 61966-2-1) to linear light. Input and output range from 0 to 1. */
export const srgbToLinear = (v: number): number =>
  v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;

/** Encodes linear light as an sRGB value. Input and output range from 0 to 1. */
export const linearToSrgb = (v: number): number =>
  v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055;
