/**
 * The backend of the test pages. The default is a software adapter, which must be requested
 * explicitly. The page's URL can select another backend (`?backend=auto`).
 */
export const chosenBackend = (new URLSearchParams(location.search).get('backend') ?? 'webgpu') as
  | 'auto'
  | 'webgpu'
  | 'cpu';
