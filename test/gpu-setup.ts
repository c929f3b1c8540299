import { findSwiftShader } from '../src/node/drivers.mjs';

/**
 * Before the GPU tests, sets the Vulkan driver in the environment of the test processes. It is
 * SwiftShader unless `VK_DRIVER_FILES` names another driver, so results are the same on all
 * machines.
 */
export default function setup(): void {
  if (process.env.VK_DRIVER_FILES || process.platform !== 'linux') return;
  const driver = findSwiftShader();
  if (driver === null) {
    throw new Error(
      'GPU tests need a Vulkan driver. `npm test` installs Chromium, which brings SwiftShader; or ' +
        'set VK_DRIVER_FILES to the ICD file of another driver.',
    );
  }
  process.env.VK_DRIVER_FILES = driver;
}
