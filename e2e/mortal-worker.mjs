/**
 * Crispen's own worker, which dies when told to over a channel of the test: by an error that nobody
 * catches, or by closing itself, of which the page gets no event.
 */
import '../src/worker/worker.ts';

new BroadcastChannel('mortal-worker').onmessage = ({ data }) => {
  if (data === 'close') self.close();
  else throw new Error('killed by the test');
};
