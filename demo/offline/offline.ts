import { trustedUrl } from '../../src/worker/trusted.ts';
import { whenLoaded } from '../dom.ts';
import type { State } from '../state.ts';

/**
 * Stores the page for offline use, shortly after it has loaded, and reports new versions.
 * @param onUpdate receives a function that switches to the new version
 */
export class Offline {
  #registration: ServiceWorkerRegistration | null = null;
  #hasAsked = false;

  constructor(onUpdate: (takeOver: () => void) => void) {
    if (import.meta.env.MODE !== 'production' || !('serviceWorker' in navigator)) return;
    // Registration waits until the page itself has loaded everything that it needs.
    whenLoaded(() => setTimeout(() => void this.#register(onUpdate), 1000));
  }

  /** A visitor who has a result might want to save it in any format, even offline. */
  render(state: State): void {
    const isDone = state.items.some(({ result }) => result !== null);
    const worker = this.#registration?.active;
    if (!isDone || this.#hasAsked || !worker) return;
    this.#hasAsked = true;
    worker.postMessage('keep the rest');
  }

  async #register(onUpdate: (takeOver: () => void) => void): Promise<void> {
    try {
      await navigator.serviceWorker.register(trustedUrl('./service-worker.js'));
      const registration = await navigator.serviceWorker.ready;
      this.#registration = registration;
      const announce = () => {
        const { waiting } = registration;
        if (!waiting) return;
        onUpdate(() => {
          navigator.serviceWorker.addEventListener('controllerchange', () => location.reload());
          waiting.postMessage('take over');
        });
      };
      announce();
      registration.addEventListener('updatefound', () => {
        registration.installing?.addEventListener('statechange', announce);
      });
    } catch (error) {
      // Without a service worker, the page still works as long as there is a connection.
      console.warn(error);
    }
  }
}
