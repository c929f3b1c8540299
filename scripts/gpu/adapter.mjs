/** Prints the adapter as JSON: its names, features, workgroup limits and matrix units. */
import { create } from 'webgpu';
import { loadVulkan } from '../../src/node/drivers.mjs';

loadVulkan();
const gpu = create(['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia']);
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
if (!adapter) throw new Error('WebGPU found no adapter');
const info =
  /** @type {GPUAdapterInfo & { subgroupMatrixConfigs?: Iterable<Record<string, unknown>> }} */ (
    adapter.info
  );
const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } = info;
const { limits } = adapter;
console.log(
  JSON.stringify({
    ...{ vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize },
    features: [...adapter.features],
    matrices: [...(info.subgroupMatrixConfigs ?? [])].map(
      ({ componentType, resultComponentType, M, N, K }) => ({
        componentType,
        resultComponentType,
        M,
        N,
        K,
      }),
    ),
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
    invocations: limits.maxComputeInvocationsPerWorkgroup,
    uniformBytes: limits.maxUniformBufferBindingSize,
  }),
);
process.exit(0);
