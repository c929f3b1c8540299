/** Returns the page's element with an id. A missing element is a bug in the page. */
export function get<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page lacks #${id}.`);
  return element as E;
}

/** Calls `work` on every click on the element with this id. */
export function onClick(id: string, work: () => void): void {
  get(id).addEventListener('click', () => work());
}

/** Calls `work` on every click on a button, except while an earlier call is still running. */
export function onFreeClick(button: HTMLElement, work: () => Promise<void>): void {
  button.addEventListener('click', async () => {
    if (button.ariaBusy === 'true') return;
    button.ariaBusy = 'true';
    await work();
    button.ariaBusy = 'false';
  });
}

/** Calls `work` after the page has loaded. */
export function whenLoaded(work: () => void): void {
  if (document.readyState === 'complete') work();
  else addEventListener('load', work, { once: true });
}

/** Calls `work` after the page has loaded, when it is idle. */
export function whenIdle(work: () => void): void {
  // Safari has no requestIdleCallback.
  const idle =
    globalThis.requestIdleCallback ?? ((callback: () => void) => setTimeout(callback, 200));
  whenLoaded(() => idle(work, { timeout: 3000 }));
}

/** Sets an element's text only if it differs, because live regions must not announce it twice. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Returns a copy of a template's content. */
export function copyOf<E extends HTMLElement = HTMLElement>(template: string): E {
  const { content } = get<HTMLTemplateElement>(template);
  return content.firstElementChild!.cloneNode(true) as E;
}
