/** Prints the WebGPU adapter that the GPU tests get; exit code 1 when there is none. */
import { create } from 'webgpu';
import { findSwiftShader, loadVulkan } from '../src/cli/drivers.mjs';

process.env.VK_DRIVER_FILES ||= findSwiftShader() ?? '';
loadVulkan();
const gpu = create([]);
const adapter = await gpu.requestAdapter();
if (adapter) {
  const { vendor, architecture, description } = adapter.info;
  console.log(`adapter   ${[vendor, architecture, description].filter(Boolean).join(', ')}`);
} else {
  console.log('adapter   none');
  process.exitCode = 1;
}
