/**
 * The backend that test pages use. The default is WebGPU, because a software adapter must be
 * requested explicitly. The page's URL can select another backend (`?backend=auto`).
 */
export const chosenBackend = (new URLSearchParams(location.search).get('backend') ?? 'webgpu') as
  | 'auto'
  | 'webgpu'
  | 'cpu';
