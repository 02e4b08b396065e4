// Building the page's elements.
//
// Whatever a person wrote reaches the page as a text node or as an attribute, never as HTML: there is no other way to
// make an element than these functions.

/**
 * An element with attributes and children. `onclick` and the like are listeners, `true` is an attribute without a value,
 * `false`, `null` and `undefined` are left out. Strings become text.
 */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** One of the page's own signs, drawn as SVG. Readers of the screen pass over it. */
export function icon(name) {
  const svg = { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' };
  return svgElement('svg', svg, ...PATHS[name].map((d) => svgElement('path', { d })));
}

export function svgElement(name, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

/**
 * Makes the children of `parent` those of `items`, in their order. What is there already (by `key`) is updated and stays
 * the same element, so that focus, selection and transitions survive.
 */
export function reconcile(parent, items, { key, make, update }) {
  const focused = document.activeElement;
  const there = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let before = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const child = there.get(name) ?? make(item);
    there.delete(name);
    child.dataset.key = name;
    update(child, item);
    if (child === before) before = before.nextElementSibling;
    else parent.insertBefore(child, before);
  }
  for (const child of there.values()) child.remove();
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const PATHS = {
  back: ['M15 5l-7 7 7 7'],
  down: ['M6 9l6 6 6-6'],
  leave: ['M14 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h8', 'M11 12h9', 'M17 9l3 3-3 3'],
  plus: ['M12 5v14', 'M5 12h14'],
  send: ['M5 12l14-7-5 14-2.5-5.5z', 'M11.5 13.5L19 5'],
  sending: ['M12 7v5l3 2', 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z'],
  sent: ['M6 12.5l4 4 8-9'],
  read: ['M2.5 12.5l4 4 8-9', 'M11 15.5l1 1 8-9'],
  failed: ['M12 7v6', 'M12 16.5v.5', 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z'],
  recalled: ['M9 7L5 11l4 4', 'M5 11h9a5 5 0 0 1 0 10h-2'],
};
