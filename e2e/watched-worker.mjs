/** Crispen's worker. `self.live` reports its GPU resources and its unhandled errors. */
import './watch.mjs';
import '../src/worker/worker.ts';
