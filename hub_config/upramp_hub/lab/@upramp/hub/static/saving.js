// Saves what was changed, and knows what could not be saved.

const PATIENCE = 20000; // milliseconds; longer, and a dialog waits for its answer

/** Saves open documents. */
export class Saver {
  constructor(app, documents) {
    this._app = app;
    this._documents = documents;
  }

  /**
   * Save all documents with changes.
   *
   * @returns how many were saved, and the paths of those that could not be.
   */
  async saveAll() {
    const contexts = new Set();
    for (const widget of this._app.shell.widgets("main")) {
      const context = this._documents.contextForWidget(widget);
      if (context?.isReady && context.model.dirty) {
        contexts.add(context);
      }
    }
    const failed = [];
    await Promise.all(
      [...contexts].map(async (context) => {
        if (!(await isSaved(context))) {
          failed.push(context.localPath);
        }
      }),
    );
    return { saved: contexts.size - failed.length, failed: failed.sort() };
  }
}

async function isSaved(context) {
  if (context.model.readOnly || context.contentsModel?.writable === false) {
    return false;
  }
  try {
    await Promise.race([context.save(), late()]);
  } catch {
    return false; // JupyterLab shows the reason in a dialog of its own
  }
  return !context.model.dirty;
}

function late() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error("it takes too long")), PATIENCE);
  });
}
