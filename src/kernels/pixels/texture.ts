/**
 * Texels to 8-bit pixels and back. These are not `Kernel`s, because they bind textures and have no
 * uniform.
 */
export { default as pixelsToTexture } from '../../shaders/pixels/pixelsToTexture.wgsl?raw';

import type { Size } from '../../geometry.ts';
import textureToPixelsSource from '../../shaders/pixels/textureToPixels.wgsl?raw';

/**
 * The shader for images of a size, which begin `border` pixels before the texture and are reflected
 * around it.
 */
export const textureToPixels = ({ width, height }: Size, border: number): string =>
  `const WIDTH = ${width}u;\nconst HEIGHT = ${height}u;\nconst BORDER = ${border};\n${textureToPixelsSource}`;
