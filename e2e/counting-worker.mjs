/**
 * Crispen's worker. `self.counts` contains the number of GPU devices that the worker has requested.
 */
import './counts.mjs';
import '../src/worker/worker.ts';
