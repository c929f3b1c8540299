/** The number of pixels to draw at a time. Without a GPU, drawing blocks the page's main thread. */
const BAND_PIXELS = 1e6;

/**
 * Blends a result with a plain resize of the same size, in the picture's colour space with 8 bits.
 * @param strength the result's share, from 0 to 1
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
  // This mode adds the two weighted images, including alpha.
  context.globalCompositeOperation = 'lighter';
  context.imageSmoothingEnabled = false;
  const rows = Math.max(1, Math.floor(BAND_PIXELS / width));
  for (let y = 0; y < height; y += rows) {
    const band = Math.min(rows, height - y);
    for (const [image, weight] of [
      [plain, 1 - strength],
      [result, strength],
    ] as const) {
      context.globalAlpha = weight;
      context.drawImage(image, 0, y, width, band, 0, y, width, band);
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
  return canvas.convertToBlob({ type: 'image/png' });
}
