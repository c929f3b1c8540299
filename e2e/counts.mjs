// This is a separate module, because it must be evaluated before the code whose device requests it
// counts.
const counts = { devices: 0 };
Object.assign(globalThis, { counts });

const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = function (...args) {
  counts.devices++;
  return requestDevice.apply(this, args);
};
