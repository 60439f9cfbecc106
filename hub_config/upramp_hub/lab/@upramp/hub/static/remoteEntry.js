// What JupyterLab loads first: a container as module federation has it, written by hand.
//
// The page of every server runs this; it is small, and read as it is, without a build.
// What it needs of JupyterLab it takes from JupyterLab, in the version that runs.

(() => {
  "use strict";

  const here = document.currentScript.src;
  let scope = {};

  /** Give a module that JupyterLab shares: the version in use, else the newest. */
  async function shared(name) {
    const versions = Object.entries(scope[name] || {});
    if (!versions.length) {
      throw new Error(`JupyterLab shares no ${name}`);
    }
    versions.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
    const found = versions.find(([, each]) => each.loaded) || versions.at(-1);
    return (await found[1].get())();
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["@upramp/hub"] = {
    init(shareScope) {
      scope = shareScope;
    },
    async get(name) {
      if (name !== "./extension") {
        throw new Error(`@upramp/hub has no ${name}`);
      }
      const { makePlugin } = await import(new URL("plugin.js", here).href);
      const plugin = await makePlugin(shared);
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
