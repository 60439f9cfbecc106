// Says why a kernel died, once: its server knows more than that it "appears to have died".

const DEAD = new Set(["autorestarting", "dead"]);

/**
 * Follow the kernels of all documents of a tracker.
 *
 * @param tracker - of notebooks or consoles.
 */
export function explainDeaths(tracker, server, notices) {
  const told = new Set();
  const follow = (panel) => {
    leaveOutDialog(panel);
    panel.sessionContext.statusChanged.connect((context, status) => {
      const kernel = context.session?.kernel?.id;
      if (kernel && DEAD.has(status)) {
        void explain(kernel, panel, server, notices, told);
      }
    });
  };
  tracker.forEach(follow);
  tracker.widgetAdded.connect((_, panel) => follow(panel));
}

/** Leave out JupyterLab's dialog that a kernel "appears to have died": it knows no reason. */
function leaveOutDialog(panel) {
  // Its only purpose; should a later JupyterLab call it otherwise, the dialog is shown as well.
  const shows = panel._onSessionStatusChanged;
  if (typeof shows === "function") {
    panel.sessionContext.statusChanged.disconnect(shows, panel);
  }
}

async function explain(kernel, panel, server, notices, told) {
  const context = panel.sessionContext;
  let ending = null;
  try {
    ending = await server.ending(kernel);
  } catch {
    return; // the server is gone as well, which is said elsewhere
  }
  const text = ending
    ? `${ending.message} ${ending.remedy}`
    : "The kernel died, and nobody saw why. It is started again, and its variables are gone.";
  const death = `${kernel} ${ending?.ended_at}`;
  if ((ending && told.has(death)) || isToldInCell(panel, text)) {
    return;
  }
  told.add(death);
  const bold = document.createElement("strong");
  bold.textContent = `${context.name || context.path}: `;
  notices.tell(`kernel ${kernel}`, "error").show([bold, text]);
}

/** Say whether the cell that ran tells it: the server puts it there, if there was one. */
function isToldInCell(panel, text) {
  for (const cell of panel.content?.widgets ?? []) {
    const outputs = cell.model?.outputs;
    for (let at = (outputs?.length ?? 0) - 1; at >= 0; at -= 1) {
      const output = outputs.get(at);
      if (output.type === "error" && output.toJSON().evalue === text) {
        return true;
      }
    }
  }
  return false;
}
