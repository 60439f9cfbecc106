// What anywidget calls: a store for each model, a view for each place where it is shown.

import { forget, storeOf } from "./store.js";
import { View } from "./view.js";

function initialize({ model }) {
  storeOf(model);
  return () => forget(model);
}

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.destroy();
}

export default { initialize, render };
