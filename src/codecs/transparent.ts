/**
 * The side length, in pixels, of the tiles that a bitmap is divided into. The tiles are read one at
 * a time to limit the additional memory use.
 */
const TILE_SIDE = 2048;

/**
 * Reads the exact pixels of a bitmap that contains transparency, and stores them in `data`. If
 * WebGL2 is unavailable or its context is lost, some or all of `data` stays unchanged.
 */
export async function readThroughWebGl(
  bitmap: ImageBitmap,
  data: Uint8ClampedArray,
): Promise<void> {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl) return;
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  const { width, height } = bitmap;
  for (let y = 0; y < height; y += TILE_SIDE) {
    for (let x = 0; x < width; x += TILE_SIDE) {
      const [w, h] = [Math.min(TILE_SIDE, width - x), Math.min(TILE_SIDE, height - y)];
      const tile = await createImageBitmap(bitmap, x, y, w, h, { premultiplyAlpha: 'none' });
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, tile);
      tile.close();
      const target = gl.COLOR_ATTACHMENT0;
      gl.framebufferTexture2D(gl.FRAMEBUFFER, target, gl.TEXTURE_2D, texture, 0);
      const pixels = new Uint8Array(w * h * 4);
      gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
      // After a context loss, all pixels are read as zeros. These are not stored, so `data` keeps
      // the colours that the caller read through a 2D canvas.
      if (gl.getError() !== gl.NO_ERROR) return;
      for (let row = 0; row < h; row++) {
        const at = ((y + row) * width + x) * 4;
        data.set(pixels.subarray(row * w * 4, (row + 1) * w * 4), at);
      }
    }
  }
  // Browsers allow only a few WebGL contexts at a time, so the context is freed without waiting for
  // the garbage collector.
  gl.getExtension('WEBGL_lose_context')?.loseContext();
}
