"""What watches a page from within: when events happened, pictures were drawn and bytes came."""

from __future__ import annotations

from typing import Final

__all__ = ["FIRST_PAINT", "FRAMES", "PROBE"]

PROBE: Final = """
window.upProbe = { event: {}, plot: 0, upload: 0, gl: 0, path: 0, layers: 0 };
{
  const probe = window.upProbe;
  const now = () => performance.now();
  for (const name of ["pointerdown", "pointermove", "pointerup", "keydown", "click"])
    addEventListener(name, (e) => { probe.event[name] = e.timeStamp; }, { capture: true });
  // Plots of Bokeh: their canvases are in the shadow, the image's are not.
  const flat = CanvasRenderingContext2D.prototype;
  for (const name of ["fill", "stroke", "drawImage", "putImageData"]) {
    const own = flat[name];
    flat[name] = function (...given) {
      if (this.canvas.getRootNode?.() instanceof ShadowRoot) probe.plot = now();
      return own.apply(this, given);
    };
  }
  // Images that come as textures: their pixels, and each time that they are drawn.
  for (const kind of [WebGLRenderingContext, WebGL2RenderingContext]) {
    const wrap = (name, note) => {
      const own = kind.prototype[name];
      kind.prototype[name] = function (...given) { note(); return own.apply(this, given); };
    };
    const uploaded = () => { probe.upload = now(); };
    for (const name of ["texImage2D", "texSubImage2D"]) wrap(name, uploaded);
    for (const name of ["drawArrays", "drawElements"]) wrap(name, () => {
      probe.gl = now();
      if (probe.upload > (probe.shown ?? 0)) probe.shown = probe.gl;
    });
  }
  // Ramps as paths of an SVG.
  new MutationObserver((found) => {
    // Of a plot the lines, and not its axes.
    if (found.some(({ target }) => target.classList.contains("line"))) probe.path = now();
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["d"] });
  // Layers that the kernel lays over an image.
  const Own = window.WebSocket;
  const text = new TextDecoder("latin1");
  window.WebSocket = class extends Own {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        const begun = typeof data === "string" ? data
          : data instanceof ArrayBuffer ? text.decode(data.slice(0, 6000)) : "";
        if (/"kind": ?"layer"/.test(begun)) probe.layers = now();
      });
    }
  };
}
"""
"""Runs before anything else of the page. All times are ms of ``performance.now()``."""

FIRST_PAINT: Final = """async ([test, patience]) => {
  const ready = new Function(`return ${test}`);
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = notebook.widgets.length - 1;
  const start = performance.now();
  window.jupyterapp.commands.execute("notebook:run-cell");
  return await new Promise((resolve) => {
    const look = () => {
      if (ready()) {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve(performance.now() - start);
        requestAnimationFrame(() => channel.port2.postMessage(0));
      } else if (performance.now() > start + patience) resolve(null);
      else setTimeout(look, 1);
    };
    look();
  });
}"""
"""Runs the last cell; gives ms until the first frame after what is waited for."""

FRAMES: Final = """() => {
  window.upFrames = [];
  window.upFramesOn = true;
  const note = (at) => {
    window.upFrames.push(at);
    if (window.upFramesOn) requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
}"""
"""Notes when each frame begins, in ``window.upFrames``, until ``upFramesOn`` is false."""
