/** The element of index.html with an id; a missing one is a defect of the page. */
export function get<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html lacks #${id}.`);
  return element as E;
}

/** Sets text only where it differs: live regions must not speak twice. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A copy of what a template holds. */
export function copyOf<E extends HTMLElement = HTMLElement>(template: string): E {
  const { content } = get<HTMLTemplateElement>(template);
  return content.firstElementChild!.cloneNode(true) as E;
}
