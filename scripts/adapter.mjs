/**
 * Prints the WebGPU adapter that the GPU tests use. The exit code is 1 if there is no adapter. With
 * `--f16`, the exit code is also 1 if the adapter lacks the feature shader-f16.
 */
import { create } from 'webgpu';
import { findSwiftShader, loadVulkan } from '../src/node/drivers.mjs';

process.env.VK_DRIVER_FILES ||= findSwiftShader() ?? '';
loadVulkan();
// On NVIDIA, f16 requires this toggle.
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
