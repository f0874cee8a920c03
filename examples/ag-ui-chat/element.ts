/** An element with its properties set, ARIA's among them, and its children in it. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** The page's own element with this id. */
export function byId<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/** Changes what differs: text that grows is appended to, so that a selection in it stays. */
export function setText(node: HTMLElement, text: string): void {
  const shown = node.firstChild;
  if (shown instanceof Text && text.startsWith(shown.data)) shown.appendData(text.slice(shown.length));
  else node.textContent = text;
}

/** What shows one thing, and goes on showing it as it changes. */
export interface View<Thing> {
  readonly element: HTMLElement;
  update(thing: Thing): void;
}

/** A view for each thing of a list. Views stay while their things do, with focus and whatever was typed into them. */
export class ViewList<Thing extends { readonly key: string }> {
  readonly #container: HTMLElement;
  readonly #open: (thing: Thing) => View<Thing>;
  readonly #views = new Map<string, View<Thing>>();

  constructor(container: HTMLElement, open: (thing: Thing) => View<Thing>) {
    this.#container = container;
    this.#open = open;
  }

  show(things: readonly Thing[]): void {
    const keys = new Set(things.map(({ key }) => key));
    for (const [key, view] of this.#views) {
      if (keys.has(key)) continue;
      view.element.remove();
      this.#views.delete(key);
    }
    for (const [index, thing] of things.entries()) {
      const view = this.#views.get(thing.key) ?? this.#open(thing);
      this.#views.set(thing.key, view);
      view.update(thing);
      const there = this.#container.children[index];
      // Moving an element would take its focus.
      if (there !== view.element) this.#container.insertBefore(view.element, there ?? null);
    }
  }
}
