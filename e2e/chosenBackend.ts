/**
 * The backend of the test pages: a software adapter, which must be requested explicitly, unless the
 * page's URL says otherwise (`?backend=auto`).
 */
export const chosenBackend = (new URLSearchParams(location.search).get('backend') ?? 'webgpu') as
  | 'auto'
  | 'webgpu'
  | 'cpu';
