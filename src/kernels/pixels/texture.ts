/**
 * Shaders that convert texels to 8-bit pixels and back. They are not `Kernel`s, because they bind
 * textures and have no uniform.
 */
export { default as pixelsToTexture } from '../../shaders/pixels/pixelsToTexture.wgsl?raw';

import type { Size } from '../../geometry.ts';
import textureToPixelsSource from '../../shaders/pixels/textureToPixels.wgsl?raw';

/**
 * Returns the shader that converts a texture to an image of the given size. The texture starts at
 * row and column `border` of the image. The remaining pixels are filled by reflecting the texture
 * at its edges.
 */
export const textureToPixels = ({ width, height }: Size, border: number): string =>
  `const WIDTH = ${width}u;\nconst HEIGHT = ${height}u;\nconst BORDER = ${border};\n${textureToPixelsSource}`;
