"""What runs in the page."""

from __future__ import annotations

from typing import Final

__all__ = ["ASK", "COLOURS", "DO", "DONE", "EVENTS", "IDLE", "NOTE", "WATCH"]

IDLE: Final = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return kernel && kernel.connectionStatus === "connected" && kernel.status === "idle";
}"""
"""Whether the kernel of the notebook waits."""

DONE: Final = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = panel.content.widgets.filter((cell) => cell.model.type === "code");
  return cells.every((cell) => cell.model.executionCount !== null && !cell.model.isDirty)
    && !document.querySelector(".jp-InputPrompt[data-executing]")
    && panel.sessionContext.session.kernel.status === "idle"
    && !panel.node.querySelector(".jp-InputPrompt")?.textContent.includes("*");
}"""
"""Whether all cells were run."""

ASK: Final = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute(
    { code: "", user_expressions: { found: code }, silent: true, store_history: false });
  const reply = await future.done;
  const found = reply.content.user_expressions.found;
  if (found.status !== "ok") return { error: `${found.ename}: ${found.evalue}` };
  const text = found.data["text/plain"];
  // A string's repr: let Python's quoting be undone by Python itself would need a second trip.
  const body = text.slice(1, -1);
  return { value: body.replace(/\\\\(.)/g, (_, c) => (c === "n" ? "\\n" : c)) };
}"""
"""Gives the repr of an expression, by the notebook's kernel."""

DO: Final = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, silent: false, store_history: false });
  const reply = await future.done;
  const { status, ename, evalue } = reply.content;
  return status === "ok" ? {} : { error: `${ename}: ${evalue}` };
}"""
"""Runs statements in the notebook's kernel."""

NOTE: Final = """() => {
  window.upDrawn = [];
  window.upNoted?.abort();
  window.upNoted = new AbortController();
  document.addEventListener("upramp-drawn", (event) => window.upDrawn.push(event.detail),
    { signal: window.upNoted.signal });
}"""
"""Notes what image views draw from now on, in ``window.upDrawn``."""

COLOURS: Final = """(places) => {
  const { plot, range } = window.upDrawn.at(-1);
  const canvas = document.querySelector("canvas.up-canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return places.map(([x, y]) => {
    const across = plot.at[0] + (x - range.x[0]) / (range.x[1] - range.x[0]) * plot.dots[0];
    const down = plot.at[1] + plot.dots[1]
      - (y - range.y[0]) / (range.y[1] - range.y[0]) * plot.dots[1];
    return [...context.getImageData(Math.floor(across), Math.floor(down), 1, 1).data].slice(0, 3);
  });
}"""
"""Gives the colours at pixels of the detector."""

EVENTS: Final = ["pointerdown", "pointermove", "wheel", "keydown", "input", "change"]
"""Of mouse, wheel and keyboard."""

WATCH: Final = """([ready, events, patience]) => {
  const test = new Function(`return ${ready}`);
  const stop = new AbortController();
  let start = null;
  const begin = (event) => { start ??= event.timeStamp; };
  for (const name of events) {
    document.addEventListener(name, begin, { capture: true, signal: stop.signal });
  }
  const end = performance.now() + patience;
  window.upWatched = new Promise((resolve) => {
    const look = () => {
      if (start !== null && test()) {
        // What was drawn before this frame is on the screen with it.
        const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve(performance.now() - start);
        requestAnimationFrame(() => channel.port2.postMessage(0));
        stop.abort();
      } else if (performance.now() > end) {
        stop.abort();
        resolve(null);
      } else {
        setTimeout(look, 1);
      }
    };
    look();
  });
}"""
"""Watches for an event and then for a condition: ``window.upWatched`` is the time between."""
