// The plugin: starts each part, so that one that fails does not take the others along.

import { Notices } from "./notices.js";
import { Server } from "./server.js";
import { explainDeaths } from "./kernels.js";
import { reportPresence } from "./presence.js";
import { Saver } from "./saving.js";
import { StopWarning } from "./warning.js";
import { Watcher } from "./watcher.js";

/**
 * Make the plugin.
 *
 * @param shared - gives a module that JupyterLab shares, by its name.
 */
export async function makePlugin(shared) {
  const [coreutils, services, widgets, docmanager, notebook, consoles] = await Promise.all(
    [
      "@jupyterlab/coreutils",
      "@jupyterlab/services",
      "@lumino/widgets",
      "@jupyterlab/docmanager",
      "@jupyterlab/notebook",
      "@jupyterlab/console",
    ].map(shared),
  );
  return {
    id: "@upramp/hub:plugin",
    description: "Warns before an unused server is stopped, saves first, explains dead kernels.",
    autoStart: true,
    requires: [docmanager.IDocumentManager],
    optional: [notebook.INotebookTracker, consoles.IConsoleTracker],
    activate: (app, documents, notebooks, consolePanels) => {
      addStyle();
      const server = new Server(app, services.ServerConnection, coreutils);
      const notices = new Notices(app, widgets.Widget, widgets.BoxPanel);
      const saver = new Saver(app, documents);
      const warning = new StopWarning(server, notices, saver);
      const watcher = new Watcher(server, notices, warning);
      watcher.start();
      reportPresence(server, notices, watcher);
      for (const tracker of [notebooks, consolePanels]) {
        if (tracker) {
          explainDeaths(tracker, server, notices);
        }
      }
    },
  };
}

function addStyle() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("notices.css", import.meta.url).href;
  document.head.append(link);
}
