// Asks the server, again and again, what it has to say, and notices when it is gone.

import { Refused } from "./server.js";

const KEY = "gone";
const USUAL = 20000; // milliseconds between two questions
const WARNED = 5000;
const HIDDEN = 60000;
const TRIES = 3; // a server that is slow once is not gone

/** Asks the server, and tells what it hears. */
export class Watcher {
  constructor(server, notices, warning) {
    this._server = server;
    this._notices = notices;
    this._warning = warning;
    this._failures = 0;
    this._timer = 0;
    this._asking = false;
    this._told = "";
  }

  /** Begin. */
  start() {
    // A page in the background is asked to save as well: it goes on asking, but rarely.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) {
        this.ask();
      }
    });
    this.ask();
  }

  /** Ask now. */
  async ask() {
    if (this._asking) {
      return;
    }
    this._asking = true;
    clearTimeout(this._timer);
    let wait = document.hidden ? HIDDEN : this._warning.active ? WARNED : USUAL;
    try {
      this._warning.update(await this._server.activity());
      this._failures = 0;
      this._tell("");
      if (this._warning.active && !document.hidden) {
        wait = WARNED;
      }
    } catch (error) {
      this._failures += 1;
      if (!this._failed(error)) {
        return; // there is nobody to ask: a server without the hub's extension
      }
      wait = Math.min(wait, WARNED * this._failures);
    } finally {
      this._asking = false;
    }
    this._timer = setTimeout(() => this.ask(), wait);
  }

  _failed(error) {
    const status = error instanceof Refused ? error.status : 0;
    if (status === 404 && !this._told) {
      return false;
    }
    if (status === 424) {
      this._tell("stopped");
    } else if (status === 401 || status === 403) {
      this._tell("out");
    } else if (this._failures >= TRIES) {
      this._tell("silent");
    }
    return true;
  }

  _tell(what) {
    if (what === this._told) {
      return;
    }
    this._told = what;
    if (!what) {
      this._notices.end(KEY);
      return;
    }
    const unused = this._warning.past;
    this._warning.end();
    const notice = this._notices.tell(KEY, what === "silent" ? "warning" : "error");
    const again = this._server.startAgain;
    if (what === "out") {
      notice.show(["You are signed out. What you do here is not saved until you sign in."]);
      notice.link("Sign in", location.href);
      return;
    }
    notice.show([
      what === "silent"
        ? "Your server does not answer. It may be busy, or stopped."
        : `Your server was stopped${unused ? ", because nobody was using it" : ""}. ` +
          "Files are kept; variables of kernels are gone.",
    ]);
    if (again) {
      notice.link("Start it again", again);
    }
  }
}
