/** Crispen's worker. `self.live` tells what it holds on the GPU, and what nobody has handled. */
import './watch.mjs';
import '../src/worker/worker.ts';
