// Says why a kernel died: its server knows more than that it "appears to have died".

const DEAD = new Set(["autorestarting", "dead"]);

/**
 * Follow the kernels of all documents of a tracker.
 *
 * @param tracker - of notebooks or consoles.
 */
export function explainDeaths(tracker, server, notices) {
  const told = new Set();
  const follow = (panel) => {
    panel.sessionContext.statusChanged.connect((context, status) => {
      const kernel = context.session?.kernel?.id;
      if (kernel && DEAD.has(status)) {
        void explain(kernel, context.name || context.path, server, notices, told);
      }
    });
  };
  tracker.forEach(follow);
  tracker.widgetAdded.connect((_, panel) => follow(panel));
}

async function explain(kernel, name, server, notices, told) {
  let ending = null;
  try {
    ending = await server.ending(kernel);
  } catch {
    return; // the server is gone as well, which is said elsewhere
  }
  if (!ending || told.has(`${kernel} ${ending.ended_at}`)) {
    return;
  }
  told.add(`${kernel} ${ending.ended_at}`);
  const bold = document.createElement("strong");
  bold.textContent = `${name}: `;
  const notice = notices.tell(`kernel ${kernel}`, "error");
  notice.show([bold, `${ending.message} ${ending.remedy}`]);
}
