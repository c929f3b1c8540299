import type { Contender } from '../contender.ts';
import { ortContender } from './ort.ts';
import { startPage } from './page.ts';

/** TensorFlow.js is loaded on request, because it is large and the page must work without it. */
const tfjs: Contender = {
  engine: 'tfjs-webgpu',
  precision: 'f32',
  open: async (task) => (await import('./tfjs.ts')).tfjsContender.open(task),
};

startPage((threads) => [ortContender(), ...threads.map((n) => ortContender(n)), tfjs]);
