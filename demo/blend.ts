/**
 * Blends a result with the plain resize of the same size, in the picture's colours, with 8 bits.
 * @param strength of the result, 0 to 1
 */
export async function blend(
  result: ImageBitmap,
  plain: ImageBitmap,
  strength: number,
  colorSpace: PredefinedColorSpace,
): Promise<Blob> {
  const { width, height } = result;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { colorSpace })!;
  // The weighted sum of both, including alpha.
  context.globalCompositeOperation = 'lighter';
  for (const [image, weight] of [
    [plain, 1 - strength],
    [result, strength],
  ] as const) {
    context.globalAlpha = weight;
    context.drawImage(image, 0, 0);
  }
  return canvas.convertToBlob({ type: 'image/png' });
}
