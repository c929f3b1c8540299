/** Crispen's worker, which counts the GPU devices that it is given as `self.counts`. */
import './counts.mjs';
import '../src/worker/worker.ts';
