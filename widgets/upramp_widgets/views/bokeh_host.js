// Shows a figure of Bokeh where there is no network: BokehJS comes from the kernel, once for a page.

const WAIT = "__upramp_bokehjs";
const PATIENCE = 30000;

function load(model) {
  window[WAIT] ??= new Promise((resolve, reject) => {
    const fail = () => {
      model.off("msg:custom", take);
      window[WAIT] = undefined;
      reject(new Error("the kernel does not answer"));
    };
    const timer = setTimeout(fail, PATIENCE);
    const take = (message) => {
      if (message.kind !== "bokehjs") return;
      clearTimeout(timer);
      model.off("msg:custom", take);
      const script = document.createElement("script");
      script.textContent = message.source;
      document.head.append(script);
      resolve();
    };
    model.on("msg:custom", take);
    model.send({ kind: "need-bokehjs" });
  });
  return window[WAIT];
}

/** Hand changes of a figure on to its views, all parts of one at once; see Together in the kernel. */
function relay(child) {
  if (child.upPlaces) return; // by another view's host
  child.upPlaces = new Set();
  child.on("msg:custom", (message, buffers) => {
    if (message.msg !== "whole-patch") return;
    const rest = [...(buffers ?? [])];
    for (const payload of message.parts) {
      if (payload !== null) {
        child.trigger("msg:custom", { msg: "patch", payload }, []);
        continue;
      }
      const { buffer, byteOffset, byteLength } = rest.shift();
      const own = new DataView(buffer.slice(byteOffset, byteOffset + byteLength));
      child.trigger("msg:custom", { msg: "patch" }, [own]);
    }
    // Sources hand their columns on in the tasks that follow at once.
    setTimeout(() => paint(child), 0);
  });
}

/** Paint what has changed now: Bokeh by itself leaves it to the next frame. */
function paint(child) {
  const visit = (view) => {
    if (typeof view.repaint === "function") view.repaint();
    else for (const part of view.child_views ?? []) visit(part);
  };
  const here = [...child.upPlaces];
  for (const root of window.Bokeh.index?.roots ?? []) {
    if (root.el && here.some((place) => place.contains(root.el))) visit(root);
  }
}

function isDark() {
  const light = document.body.dataset.jpThemeLight;
  if (light !== undefined) return light === "false";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

function followTheme(model) {
  let told;
  const tell = () => {
    if (isDark() === told) return;
    told = isDark();
    model.send({ kind: "theme", dark: told });
  };
  tell();
  const watcher = new MutationObserver(tell);
  watcher.observe(document.body, { attributes: true });
  return () => watcher.disconnect();
}

async function render({ model, el }) {
  const note = document.createElement("div");
  note.setAttribute("role", "status");
  note.textContent = "loading the plot";
  el.append(note);
  try {
    if (!window.Bokeh) await load(model);
    const manager = model.widget_manager;
    const child = await manager.get_model(model.get("child").slice("IPY_MODEL_".length));
    relay(child);
    const view = await manager.create_view(child);
    note.remove();
    el.append(view.el);
    child.upPlaces.add(view.el);
    // It began with the figure as it was first made, and from now on hears of what changes.
    model.send({ kind: "shown" });
    const unfollow = followTheme(model);
    return () => {
      unfollow();
      child.upPlaces.delete(view.el);
      view.remove();
    };
  } catch (error) {
    note.textContent = `The plot cannot be shown: ${error.message}. Run its cell again.`;
  }
}

export default { render };
