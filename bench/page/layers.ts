/** The page of `npm run bench:cpu -- --chromium`. */
import { findModel } from '../../src/catalog/files.ts';
import { type Layers, type LayersRequest, measureLayers } from '../layers.ts';
import { load, loadPhoto } from './page.ts';

declare global {
  interface Window {
    crispenLayers?: (request: LayersRequest) => Promise<Layers>;
  }
}

window.crispenLayers = async (request) => {
  const file = await load(`./models/${findModel(request.model).file}`);
  return measureLayers(new Uint8Array(await file.arrayBuffer()), await loadPhoto(), request);
};
