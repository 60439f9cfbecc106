// The strip above JupyterLab where the hub tells things: each stays until it is dismissed.

/** One thing that is told. */
class Notice {
  constructor(kind, dismiss) {
    this.node = document.createElement("div");
    this.node.className = `upramp-notice upramp-${kind}`;
    this._text = document.createElement("span");
    this._text.className = "upramp-notice-text";
    this._spoken = document.createElement("span");
    this._spoken.className = "upramp-spoken";
    // Read out when it changes, but politely: what is typed goes first.
    this._spoken.setAttribute("role", "status");
    this._spoken.setAttribute("aria-live", "polite");
    this._actions = document.createElement("span");
    this._actions.className = "upramp-notice-actions";
    const close = document.createElement("button");
    close.type = "button";
    close.className = "upramp-close";
    close.setAttribute("aria-label", "Dismiss");
    close.textContent = "✕";
    close.addEventListener("click", dismiss);
    this.node.append(this._spoken, this._text, this._actions, close);
  }

  /**
   * Show a text.
   *
   * @param parts - texts and elements.
   * @param spoken - the text to be read out; the shown one if nothing is given, null to
   *   stay silent, as while seconds are counted down.
   */
  show(parts, spoken) {
    this._text.replaceChildren(...parts);
    const text = spoken === undefined ? this._text.textContent : spoken;
    if (text !== null && this._spoken.textContent !== text) {
      this._spoken.textContent = text;
    }
    // Who moves through the page with a reader finds one text, not two.
    this._text.setAttribute("aria-hidden", spoken === undefined ? "true" : "false");
  }

  /** Offer something to do. */
  button(label, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "upramp-action";
    button.textContent = label;
    button.addEventListener("click", () => act(button));
    this._actions.append(button);
  }

  /** Offer somewhere to go. */
  link(label, href) {
    const link = document.createElement("a");
    link.className = "upramp-action";
    link.href = href;
    link.textContent = label;
    this._actions.append(link);
  }
}

/** All that is told. */
export class Notices {
  /**
   * @param app - JupyterLab.
   * @param Widget, BoxPanel - Lumino's.
   */
  constructor(app, Widget, BoxPanel) {
    this._all = new Map();
    this._widget = new Widget();
    this._widget.id = "upramp-notices";
    const { node } = this._widget;
    node.setAttribute("role", "region");
    node.setAttribute("aria-label", "Messages of the hub");
    this._list = document.createElement("div");
    node.append(this._list);
    this._widget.hide();
    app.shell.add(this._widget, "header", { rank: 100 });
    BoxPanel.setStretch(this._widget, 0);
    // The panel gives as much room as is asked for, and text needs more when it is wrapped.
    new ResizeObserver(() => this._fit()).observe(this._list);
  }

  /** Say whether something is part of this. */
  contains(node) {
    return node instanceof Node && this._widget.node.contains(node);
  }

  /**
   * Tell something.
   *
   * @param key - of it; what was told under the same key is replaced.
   * @param kind - "warning", "error" or "info".
   * @param dismissed - called when somebody does not want to see it any more.
   */
  tell(key, kind, dismissed = () => {}) {
    this.end(key);
    const notice = new Notice(kind, () => {
      this.end(key);
      dismissed();
    });
    this._all.set(key, notice);
    this._list.append(notice.node);
    this._widget.show();
    this._fit();
    return notice;
  }

  /** Tell it no more. */
  end(key) {
    const notice = this._all.get(key);
    if (!notice) {
      return;
    }
    notice.node.remove();
    this._all.delete(key);
    if (!this._all.size) {
      this._widget.hide();
    }
    this._fit();
  }

  _fit() {
    const { node, parent } = this._widget;
    node.style.minHeight = `${this._list.offsetHeight}px`;
    for (let each = parent; each; each = each.parent) {
      each.fit?.();
    }
  }
}
