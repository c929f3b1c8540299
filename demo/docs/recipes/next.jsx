'use client';

import 'crispen/element';

// The server renders the image itself; the element takes over in the browser.
export function Sharper({ src, alt, width, height }) {
  return (
    <crispen-image>
      <img src={src} alt={alt} width={width} height={height} />
    </crispen-image>
  );
}
