import 'crispen/element';
import { useEffect, useRef } from 'react';

export function CrispenImage({ onLoad, ...attributes }) {
  const element = useRef(null);
  useEffect(() => {
    const { current } = element;
    current.addEventListener('load', onLoad);
    return () => current.removeEventListener('load', onLoad);
  }, [onLoad]);
  return <crispen-image ref={element} {...attributes} />;
}
