/**
 * Crispen's own worker, which ends when a channel of the test requests it. It either throws an
 * uncaught error or closes itself, and the page gets no event for the latter.
 */
import '../src/worker/worker.ts';

const channel = new BroadcastChannel('mortal-worker');
channel.onmessage = ({ data }) => {
  if (data === 'throw') throw new Error('killed by the test');
  if (data !== 'close') return;
  channel.postMessage('closed');
  // The worker closes in the same task, so it answers no later messages.
  self.close();
};
