// By itself, so that it is evaluated before what it counts.
const counts = { devices: 0 };
Object.assign(globalThis, { counts });

const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = function (...args) {
  counts.devices++;
  return requestDevice.apply(this, args);
};
