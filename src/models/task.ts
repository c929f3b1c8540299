/**
 * What a model does to an image: `upscale` makes it larger; the others leave its size and take away
 * noise, or the blocks and halos of JPEG compression.
 */
export type Task = 'upscale' | 'denoise' | 'dejpeg';

/** A task that leaves the size: a network of scale 1. */
export type Restoration = Exclude<Task, 'upscale'>;
