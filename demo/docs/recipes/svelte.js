import 'crispen/element';

// <crispen-image src="cat.jpg" alt="A cat" use:crispen={{ onload }}></crispen-image>
export function crispen(node, { onload }) {
  node.addEventListener('load', onload);
  return { destroy: () => node.removeEventListener('load', onload) };
}
