/**
 * What the pages of the tests run networks on: a software adapter, which has to be asked for, unless their
 * address says otherwise (`?backend=auto`).
 */
export const chosenBackend = (new URLSearchParams(location.search).get('backend') ?? 'webgpu') as
  | 'auto'
  | 'webgpu'
  | 'cpu';
