// Shows a view in a page of its own: a model that has no kernel and plays back what one sent.

import { View } from "./view.js";

class Stored {
  constructor({ state, messages }) {
    this.state = state;
    this.messages = messages;
    this.listeners = new Map();
    this.widget_manager = null;
    this.alone = true; // nobody answers but once
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.fire(`change:${name}`);
  }

  save_changes() {}

  on(name, act) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set());
    this.listeners.get(name).add(act);
  }

  off(name, act) {
    this.listeners.get(name)?.delete(act);
  }

  fire(name, ...values) {
    for (const act of this.listeners.get(name) ?? []) act(...values);
  }

  /** Answer what can be answered: the first question. */
  send(content) {
    if (content.kind === "click") {
      this.set("x", content.x);
      this.set("y", content.y);
    }
    if (content.kind !== "ready" || this.played) return;
    this.played = true;
    queueMicrotask(() => {
      for (const { content: said, buffers } of this.messages) {
        const views = buffers.map((text) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          return new DataView(bytes.buffer);
        });
        this.fire("msg:custom", { ...said, page: content.page, seq: content.seq }, views);
      }
    });
  }
}

const stored = new Stored(JSON.parse(document.getElementById("data").textContent));
stored.state.tools = stored.state.tools.filter((tool) => tool === "pan" || tool === "inspect");
if (!stored.state.tools.includes(stored.state.tool)) stored.state.tool = "inspect";
new View(stored, document.getElementById("view"));
