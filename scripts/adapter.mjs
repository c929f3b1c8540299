/**
 * Prints the WebGPU adapter of the GPU tests. Exit code 1 if there is none, or with `--f16` none
 * with the feature shader-f16.
 */
import { create } from 'webgpu';
import { findSwiftShader, loadVulkan } from '../src/node/drivers.mjs';

process.env.VK_DRIVER_FILES ||= findSwiftShader() ?? '';
loadVulkan();
// f16 on NVIDIA is behind a toggle.
const gpu = create(['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia']);
const adapter = await gpu.requestAdapter();
if (adapter) {
  const { vendor, architecture, description } = adapter.info;
  console.log(`adapter   ${[vendor, architecture, description].filter(Boolean).join(', ')}`);
} else {
  console.log('adapter   none');
}
const fits = adapter && (!process.argv.includes('--f16') || adapter.features.has('shader-f16'));
process.exitCode = fits ? 0 : 1;
