/** Crispen's worker. `self.counts` counts the GPU devices that it receives. */
import './counts.mjs';
import '../src/worker/worker.ts';
