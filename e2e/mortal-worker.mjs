/**
 * Crispen's own worker, which dies on request from a channel of the test: by an uncaught error, or
 * by closing itself, for which the page gets no event.
 */
import '../src/worker/worker.ts';

const channel = new BroadcastChannel('mortal-worker');
channel.onmessage = ({ data }) => {
  if (data === 'throw') throw new Error('killed by the test');
  if (data !== 'close') return;
  channel.postMessage('closed');
  // In the same task: nothing that comes later is answered.
  self.close();
};
