// This is a separate module, because it must be evaluated before the code that it watches.
const unhandled = [];
/** For each device that exists, the resources that were created and not yet destroyed. */
const devices = new Map();

self.addEventListener('unhandledrejection', ({ reason }) => unhandled.push(String(reason)));
self.addEventListener('error', ({ message }) => unhandled.push(message));

globalThis.live = () => {
  const made = [...devices.values()].flatMap((set) => [...set]);
  const buffers = made.filter((one) => one instanceof GPUBuffer);
  return {
    devices: devices.size,
    buffers: buffers.length,
    bytes: buffers.reduce((sum, { size }) => sum + size, 0),
    textures: made.length - buffers.length,
    unhandled: unhandled.splice(0),
  };
};

if ('GPUAdapter' in globalThis) {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...args) {
    const device = await requestDevice.apply(this, args);
    devices.set(device, new Set());
    void device.lost.then(() => devices.delete(device));
    return device;
  };
  for (const name of ['createBuffer', 'createTexture']) {
    const make = GPUDevice.prototype[name];
    GPUDevice.prototype[name] = function (...args) {
      const made = make.apply(this, args);
      devices.get(this)?.add(made);
      return made;
    };
  }
  for (const type of [GPUBuffer, GPUTexture]) {
    const { destroy } = type.prototype;
    type.prototype.destroy = function () {
      for (const set of devices.values()) set.delete(this);
      destroy.call(this);
    };
  }
}
