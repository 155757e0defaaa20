// Begins a run and follows it. The cursor is the sequence of the last event: whatever happens on the way, the run's
// stream is asked for what comes after it, so that nothing is lost, nothing comes twice and no second run begins.

import { CallError, runs, send } from "./api.js";

const WAITS = [500, 1000, 2000, 4000, 8000];
// Heartbeats are comments, which EventSource keeps to itself: after a silence we ask anew rather than trust the line.
const SILENCE = 60_000;
const TERMINAL = new Set(["complete", "error"]);
const EVENT_ID = /^id: ?([A-Za-z0-9_-]+):\d+\r?$/m;

/**
 * Asks for a chapter; answers the run's id as soon as it is known, and `letGo`, to be called once the run is being
 * followed. By POST, as the words of a child belong in no address and so in no proxy's log; the request's request_id
 * makes asking again harmless, which is done when an answer breaks off before its first event.
 */
export async function begin(request) {
  for (const wait of [...WAITS, null]) {
    const asking = new AbortController();
    const answer = await ask(request, asking.signal);
    const runId = await firstRunId(answer.body.getReader());
    if (runId) return { runId, letGo: () => asking.abort() };
    if (wait) await new Promise((passed) => setTimeout(passed, wait));
  }
  throw new CallError("NO_CONNECTION");
}

function ask(request, signal) {
  return send("/api/v1/stories/generate/stream", {
    method: "POST",
    headers: { Accept: "text/event-stream", "Content-Type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });
}

async function firstRunId(reader) {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) return "";
    text += decoder.decode(value, { stream: true });
    const found = EVENT_ID.exec(text.slice(0, text.lastIndexOf("\n") + 1));
    if (found) return found[1];
  }
}

/** Reads one message of EventSource; null when it is no event of a run. */
export function parse(message) {
  const at = message.lastEventId.lastIndexOf(":");
  const sequence = Number(message.lastEventId.slice(at + 1));
  if (at < 1 || !(sequence > 0)) return null;
  const { type, data, progress } = JSON.parse(message.data);
  return { sequence, type, data: data ?? {}, progress: progress ?? 0 };
}

/**
 * Follows one run to its terminal event. `onEvent` gets every event after `after` once, in order; `onLine` gets true
 * and false as the connection comes and goes; `onGone` is called when the service has no such run, `onRefused` with the
 * reason when it wants another key.
 */
export class RunStream {
  #source = null;
  #timer = 0;
  #failures = 0;
  #stopped = false;
  #listeners = [];

  constructor({ runId, after = 0, onEvent, onLine = () => {}, onGone = () => {}, onRefused = () => {} }) {
    Object.assign(this, { runId, cursor: after, onEvent, onLine, onGone, onRefused });
  }

  start() {
    this.#listen(window, "online", () => this.#open());
    this.#listen(window, "offline", () => this.#lost());
    this.#listen(document, "visibilitychange", () => document.hidden || this.#open());
    this.#open();
  }

  stop() {
    this.#stopped = true;
    this.#close();
    this.#listeners.forEach((forget) => forget());
  }

  #listen(target, type, listener) {
    target.addEventListener(type, listener);
    this.#listeners.push(() => target.removeEventListener(type, listener));
  }

  #address() {
    const path = `/api/v1/stories/runs/${encodeURIComponent(this.runId)}/stream`;
    // A cursor that is refused again and again is left out: what comes twice is dropped in #take.
    const resumes = this.cursor > 0 && this.#failures < 3;
    return resumes ? `${path}?last_event_id=${encodeURIComponent(`${this.runId}:${this.cursor}`)}` : path;
  }

  #open() {
    if (this.#stopped) return;
    this.#close();
    this.#source = new EventSource(this.#address());
    this.#source.addEventListener("open", () => this.#opened());
    this.#source.addEventListener("story_chunk", (message) => this.#take(message));
    this.#source.addEventListener("error", () => this.#failed());
    this.#watch();
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #opened() {
    this.onLine(true);
    this.#watch();
  }

  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), SILENCE);
  }

  #take(message) {
    const event = parse(message);
    // What was read before comes again when a proxy replays an answer.
    if (this.#stopped || !event || event.sequence <= this.cursor) return;
    this.cursor = event.sequence;
    this.#failures = 0;
    this.#watch();
    if (TERMINAL.has(event.type)) this.stop();
    this.onEvent(event);
  }

  #lost() {
    this.#close();
    this.onLine(false);
  }

  /** EventSource comes back by itself after a lost connection, but gives up after an HTTP status. */
  #failed() {
    if (this.#stopped) return;
    this.onLine(false);
    if (this.#source?.readyState === EventSource.CLOSED) this.#ask();
  }

  /** EventSource hides why it gave up; the run itself tells whether there is anything left to follow. */
  async #ask() {
    this.#close();
    const { status, reason } = await runs.get(this.runId).then(() => ({}), (error) => error);
    if (this.#stopped || this.#source) return;
    if ([401, 403, 404].includes(status)) {
      this.stop();
      if (status === 404) this.onGone();
      else this.onRefused(reason);
      return;
    }
    const wait = WAITS[Math.min(this.#failures++, WAITS.length - 1)];
    this.#timer = setTimeout(() => this.#open(), wait);
  }
}
