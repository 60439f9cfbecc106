// Tells the server that somebody is there: that they type, point or scroll in its page.
//
// An open page alone is no sign of anybody. What is done in the hub's own strip does not
// count, so that the button there is what it says.

const EVERY = 30000; // milliseconds

/** Report what somebody does in the page. */
export function reportPresence(server, notices, watcher) {
  let last = -Infinity;
  const report = (event) => {
    const now = performance.now();
    if (!event.isTrusted || now - last < EVERY || notices.contains(event.target)) {
      return;
    }
    last = now;
    server.isUsed().then(
      () => watcher.ask(),
      () => {
        last = -Infinity; // the watcher says so if the server is gone
      },
    );
  };
  for (const kind of ["keydown", "pointerdown", "wheel"]) {
    document.addEventListener(kind, report, { capture: true, passive: true });
  }
}
