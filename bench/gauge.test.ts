import { describe, expect, it } from 'vitest';
import { GpuGauge } from './gauge.ts';

/** Creates empty classes. Each test needs new classes, because wrapping cannot be undone. */
function fakeClasses() {
  class GPUBuffer {
    destroy() {}
  }
  class GPUTexture extends GPUBuffer {
    readonly format: string;
    readonly width = 8;
    readonly height = 2;
    readonly depthOrArrayLayers = 1;
    constructor(format: string) {
      super();
      this.format = format;
    }
    override destroy() {}
  }
  class GPUDevice {
    createBuffer(_: { size: number }) {
      return new GPUBuffer();
    }
    createTexture({ format }: { format: string }) {
      return new GPUTexture(format);
    }
    destroy() {}
  }
  class GPUAdapter {
    async requestDevice() {
      return new GPUDevice();
    }
  }
  class GPUComputePassEncoder {
    dispatchWorkgroups() {}
    dispatchWorkgroupsIndirect() {}
  }
  return { GPUAdapter, GPUDevice, GPUBuffer, GPUTexture, GPUComputePassEncoder };
}

describe('GpuGauge', () => {
  it('counts what each owner holds and the most it held', async () => {
    const classes = fakeClasses();
    const gauge = new GpuGauge(classes as never);
    gauge.begin('a');
    const device = await new classes.GPUAdapter().requestDevice();
    const first = device.createBuffer({ size: 100 });
    gauge.begin('b');
    const other = await new classes.GPUAdapter().requestDevice();
    other.createBuffer({ size: 7 });
    // This buffer still counts for a, which owns the device, even though the current owner has
    // changed.
    device.createBuffer({ size: 50 });
    first.destroy();
    first.destroy();
    expect(gauge.memory('a')).toEqual({ held: 50, peak: 150 });
    expect(gauge.memory('b')).toEqual({ held: 7, peak: 7 });
    gauge.begin('a');
    expect(gauge.memory('a').peak).toBe(50);
    device.destroy();
    expect(gauge.memory('a').held).toBe(0);
  });

  it.each([
    ['rgba8unorm', 4],
    ['r32float', 4],
    ['rgba16float', 8],
    ['rg32float', 8],
    ['rgba32float', 16],
    ['bgra8unorm-srgb', 4],
  ])('counts textures of %s', async (format, bytes) => {
    const classes = fakeClasses();
    const gauge = new GpuGauge(classes as never);
    gauge.begin('a');
    const device = await new classes.GPUAdapter().requestDevice();
    const texture = device.createTexture({ format });
    expect(gauge.memory('a').held).toBe(16 * bytes);
    texture.destroy();
    expect(gauge.memory('a').held).toBe(0);
  });

  it('counts dispatches of both kinds', () => {
    const classes = fakeClasses();
    const gauge = new GpuGauge(classes as never);
    const pass = new classes.GPUComputePassEncoder();
    pass.dispatchWorkgroups();
    pass.dispatchWorkgroupsIndirect();
    expect(gauge.takeDispatches()).toBe(2);
    expect(gauge.takeDispatches()).toBe(0);
  });
});
