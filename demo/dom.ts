/** The element of index.html with an id. A missing one is a bug in the page. */
export function get<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html lacks #${id}.`);
  return element as E;
}

/** Sets text only if it differs, because live regions must not speak twice. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A copy of a template's content. */
export function copyOf<E extends HTMLElement = HTMLElement>(template: string): E {
  const { content } = get<HTMLTemplateElement>(template);
  return content.firstElementChild!.cloneNode(true) as E;
}
