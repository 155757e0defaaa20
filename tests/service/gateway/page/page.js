// Where the page's modules lie, and what a browser has and Node has not.

export const PAGE = "../../../../service/gateway/page";

/** Timers that run when they are told to. */
export class Clock {
  #now = 0;
  #timers = new Map();
  #next = 1;

  setTimeout = (run, wait) => {
    this.#timers.set(this.#next, { at: this.#now + wait, run });
    return this.#next++;
  };

  clearTimeout = (id) => this.#timers.delete(id);

  /** Lets time pass; timers run in their order. */
  pass(milliseconds) {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(([, each]) => each.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].run();
    }
    this.#now = end;
  }
}

/** An EventSource whose server is the test. */
export class FakeSource extends EventTarget {
  static CLOSED = 2;
  static opened = [];
  readyState = 1;

  constructor(url) {
    super();
    this.url = url;
    FakeSource.opened.push(this);
  }

  static get last() {
    return FakeSource.opened.at(-1);
  }

  close() {
    this.readyState = FakeSource.CLOSED;
  }

  tell(sequence, type, data = {}, progress = 0) {
    this.dispatchEvent(Object.assign(new Event("story_chunk"), {
      lastEventId: `run1:${sequence}`, data: JSON.stringify({ type, data, progress }),
    }));
  }

  /** What a browser does when the server answers anything but 200. */
  giveUp() {
    this.close();
    this.dispatchEvent(new Event("error"));
  }
}

/** Puts a browser's globals in place; answers its clock. */
export function browser() {
  const clock = new Clock();
  FakeSource.opened = [];
  const store = new Map();
  const storage = {
    getItem: (key) => store.get(key) ?? null,
    setItem: (key, value) => store.set(key, value),
    removeItem: (key) => store.delete(key),
  };
  Object.assign(globalThis, {
    window: new EventTarget(), document: Object.assign(new EventTarget(), { hidden: false }), EventSource: FakeSource,
    sessionStorage: storage, setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout,
  });
  return clock;
}

/** Lets promises that are due come true. */
export async function settle() {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

export function json(status, body) {
  return { ok: status < 400, status, json: async () => body };
}
