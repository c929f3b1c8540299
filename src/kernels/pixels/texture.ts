/**
 * Texels to 8-bit pixels and back. These are not `Kernel`s, because they bind textures and have no
 * uniform.
 */
export { default as pixelsToTexture } from '../../shaders/pixels/pixelsToTexture.wgsl?raw';
export { default as textureToPixels } from '../../shaders/pixels/textureToPixels.wgsl?raw';
