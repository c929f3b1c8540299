/** Texels to 8-bit pixels and back; not `Kernel`s, since they bind textures and no uniform. */
export { default as pixelsToTexture } from '../../shaders/pixels/pixelsToTexture.wgsl?raw';
export { default as textureToPixels } from '../../shaders/pixels/textureToPixels.wgsl?raw';
