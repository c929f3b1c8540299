import { engineReverts } from './engine.ts';
import { pageReverts } from './page.ts';

export const reverts = [...pageReverts, ...engineReverts];
