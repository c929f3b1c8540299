/**
 * Crispen's own worker, with devices that the test can make fail. A device is lost before the n-th
 * submission in a job, for each n in a list.
 */
import '../src/worker/worker.ts';

let losses = [];
let submissions = 0;
let lost = 0;
const channel = new BroadcastChannel('lossy-worker');
channel.onmessage = ({ data }) => {
  if (data.losses) {
    losses = data.losses;
    submissions = 0;
    lost = 0;
  }
  channel.postMessage({ submissions, lost });
};

const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (descriptor) {
  const device = await requestDevice.call(this, descriptor);
  const { queue } = device;
  queue.submit = (commands) => {
    if (losses.includes(submissions++)) {
      lost++;
      device.destroy();
    }
    GPUQueue.prototype.submit.call(queue, commands);
  };
  return device;
};
