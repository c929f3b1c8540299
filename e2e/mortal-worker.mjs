/**
 * Crispen's own worker, which dies on request from a channel of the test: by an uncaught error, or
 * by closing itself, for which the page gets no event.
 */
import '../src/worker/worker.ts';

new BroadcastChannel('mortal-worker').onmessage = ({ data }) => {
  if (data === 'close') self.close();
  else throw new Error('killed by the test');
};
