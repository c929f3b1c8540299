/** The page of `npm run bench:cpu -- --chromium`. */
import { type Layers, type LayersRequest, measureLayers } from '../layers.ts';
import { modelOf } from '../session.ts';
import { load } from './page.ts';

declare global {
  interface Window {
    crispenLayers?: (request: LayersRequest) => Promise<Layers>;
  }
}

window.crispenLayers = async (request) => {
  const file = await load(`./models/${modelOf(2).file}`);
  return measureLayers(new Uint8Array(await file.arrayBuffer()), request);
};
