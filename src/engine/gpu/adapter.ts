import type { AdapterReport } from '../types.ts';

/** Reports what is known about an adapter. */
export function reportAdapter(adapter: Pick<GPUAdapter, 'info' | 'features'>): AdapterReport {
  const { info } = adapter;
  const { vendor = '', architecture = '', device = '', description = '' } = info ?? {};
  // In older browsers, `isFallbackAdapter` is a property of the adapter, not of its info.
  const flagged =
    info?.isFallbackAdapter ??
    (adapter as unknown as { isFallbackAdapter?: boolean }).isFallbackAdapter ??
    false;
  const software = /swiftshader|llvmpipe|lavapipe|basic render|warp/i;
  return {
    vendor,
    architecture,
    device,
    description,
    isFallbackAdapter: flagged || software.test(`${architecture} ${device} ${description}`),
    features: [...adapter.features].sort(),
  };
}
