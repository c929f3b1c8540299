/**
 * Crispen's own worker, which ends when the test requests it through a channel. The worker either
 * throws an uncaught error or closes itself. If it closes itself, the page gets no event.
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
