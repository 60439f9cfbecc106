// What is asked of the server, and where its hub is.

/** An answer that is no success. */
export class Refused extends Error {
  constructor(status, path) {
    super(`${path} answers ${status}`);
    this.status = status;
  }
}

/** The server of this page. */
export class Server {
  /**
   * @param app - JupyterLab.
   * @param connection - its ServerConnection, which knows how to send tokens.
   * @param coreutils - its PageConfig and URLExt.
   */
  constructor(app, connection, { PageConfig, URLExt }) {
    this._settings = app.serviceManager.serverSettings;
    this._connection = connection;
    this._join = URLExt.join;
    this._option = (name) => PageConfig.getOption(name);
  }

  /** Give what the server says of its activity. */
  activity() {
    return this._ask("GET", "activity");
  }

  /** Say that somebody is there. */
  isUsed() {
    return this._ask("POST", "activity");
  }

  /** Put the server's end off, by seconds. */
  extend(seconds) {
    return this._ask("POST", "activity/extend", { seconds });
  }

  /** Give how a kernel ended; null if it did not by itself. */
  async ending(kernel) {
    try {
      return await this._ask("GET", `kernels/${encodeURIComponent(kernel)}/ending`);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) {
        return null;
      }
      throw error;
    }
  }

  /** Give the hub's page that starts this server again; nothing if there is no hub. */
  get startAgain() {
    const prefix = this._option("hubPrefix");
    if (!prefix) {
      return "";
    }
    const parts = [this._option("hubUser"), this._option("hubServerName")].filter(Boolean);
    const next = encodeURIComponent(location.pathname + location.search);
    const path = this._join(prefix, "spawn", ...parts.map(encodeURIComponent));
    return `${this._option("hubHost")}${path}?next=${next}`;
  }

  async _ask(method, place, body) {
    const url = this._join(this._settings.baseUrl, "upramp", place);
    const init = { method, headers: { Accept: "application/json" } };
    if (body) {
      init.body = JSON.stringify(body);
    }
    const answer = await this._connection.makeRequest(url, init, this._settings);
    if (!answer.ok) {
      throw new Refused(answer.status, place);
    }
    if (answer.status === 204) {
      return null;
    }
    if (!answer.headers.get("Content-Type")?.startsWith("application/json")) {
      // Who is not signed in is led to a page where they can be.
      throw new Refused(answer.redirected ? 401 : 502, place);
    }
    return answer.json();
  }
}
