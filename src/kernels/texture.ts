/** Texels to 8-bit pixels and back; not `Kernel`s, since they bind textures and no uniform. */
export { default as pixelsToTexture } from '../shaders/pixelsToTexture.wgsl?raw';
export { default as textureToPixels } from '../shaders/textureToPixels.wgsl?raw';
