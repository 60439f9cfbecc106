// The server will be stopped: counted down, with a way to keep it, after everything is saved.

import { clock, list, span } from "./words.js";

const KEY = "stop";
const HOUR = 3600;
const SPOKEN = [300, 60, 30]; // seconds before the end when it is said again
const LATE = 30; // seconds before the end when everything is saved again
const LATE_HIDDEN = 95; // a page in the background is woken once a minute, and may be late

/** The warning, while there is one. */
export class StopWarning {
  constructor(server, notices, saver) {
    this._server = server;
    this._notices = notices;
    this._saver = saver;
    this._current = null;
  }

  /** Say whether there is one. */
  get active() {
    return this._current !== null;
  }

  /** Say whether its time has come. */
  get past() {
    return this._current !== null && left(this._current) <= 0;
  }

  /** Take in what the server says. */
  update({ stop_at: stopAt, now }) {
    if (!stopAt) {
      this.end();
      return;
    }
    // Both times are the server's: the clock of this machine may be wrong.
    const end = performance.now() + (Date.parse(stopAt) - Date.parse(now));
    if (this._current?.stopAt === stopAt) {
      this._current.end = end;
      return;
    }
    this.end();
    const current = { stopAt, end, dismissed: false, saving: "", savedLate: false, said: HOUR };
    this._current = current;
    this._tell(current);
    current.timer = setInterval(() => this._tick(current), 1000);
    void this._save(current);
  }

  /** There is none any more. */
  end() {
    if (this._current) {
      clearInterval(this._current.timer);
      this._current = null;
      this._notices.end(KEY);
    }
  }

  _tell(current) {
    const notice = this._notices.tell(KEY, "warning", () => {
      current.dismissed = true;
    });
    notice.button("Keep it for another hour", (button) => this._keep(current, button));
    current.notice = notice;
    current.said = HOUR;
    this._show(current);
  }

  _show(current) {
    const seconds = left(current);
    const shown = document.createElement("span");
    shown.className = "upramp-left";
    shown.setAttribute("role", "timer");
    shown.textContent = clock(seconds);
    const due = SPOKEN.find((each) => seconds <= each && each < current.said);
    const speak = current.said === HOUR || due !== undefined;
    const why = "because nobody is using it";
    if (speak) {
      current.said = SPOKEN.filter((each) => seconds <= each).at(-1) ?? HOUR - 1;
    }
    const parts =
      seconds > 0
        ? [`Your server stops in `, shown, `, ${why}. ${current.saving}`]
        : [`Your server is being stopped, ${why}. ${current.saving}`];
    const spoken = `Your server stops in ${span(seconds)}, ${why}. ${current.saving}`;
    current.notice.show(parts, speak || current.news ? spoken : null);
    current.news = false;
  }

  _tick(current) {
    const seconds = left(current);
    if (!current.savedLate && seconds <= (document.hidden ? LATE_HIDDEN : LATE) && seconds > 0) {
      current.savedLate = true;
      void this._save(current);
    }
    // In the last minute it is said also to those who did not want to see it.
    if (current.dismissed && seconds <= 60 && !current.repeated) {
      current.repeated = true;
      current.dismissed = false;
      this._tell(current);
    }
    if (!current.dismissed) {
      this._show(current);
    }
  }

  async _save(current) {
    const { saved, failed } = await this._saver.saveAll();
    if (this._current !== current) {
      return;
    }
    if (failed.length) {
      current.saving = `Not saved: ${list(failed)}. Save what you need now.`;
    } else if (saved) {
      current.saving = "What you changed has been saved.";
    } else {
      current.saving ||= "All changes are saved.";
    }
    current.news = true;
    if (failed.length && current.dismissed) {
      current.dismissed = false;
      this._tell(current);
    } else if (!current.dismissed) {
      this._show(current);
    }
  }

  async _keep(current, button) {
    button.disabled = true;
    try {
      const { extended_until: until } = await this._server.extend(HOUR);
      this.end();
      this._say("info", `Your server is kept until ${at(until)}, used or not.`);
    } catch {
      button.disabled = false;
      current.saving = "It could not be kept: the server does not answer. Try again.";
      current.news = true;
      this._show(current);
    }
  }

  _say(kind, text) {
    const notice = this._notices.tell("kept", kind);
    notice.show([text]);
    setTimeout(() => this._notices.end("kept"), 15000);
  }
}

function left(current) {
  return (current.end - performance.now()) / 1000;
}

function at(time) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
