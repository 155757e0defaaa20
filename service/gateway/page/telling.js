// One chapter being told: asks for it, follows its run, and shows its events at the reader's pace.

import { CallError, runs, shortName } from "./api.js";
import { tab } from "./keep.js";
import { Pacer } from "./pacer.js";
import { StandingText } from "./standing.js";
import { RunStream, begin } from "./stream.js";

const BETWEEN_SENTENCES = 420;
const AFTER_RETRACTION = 1400;

/** Visible ASCII of 128 bits. randomUUID would need https, which a house's own network may not have. */
export function newRequestId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * `about` is what the page shows beside the text: child, picture, heading, chapterNumber, turn. `request` is a
 * GenerateStoryRequest. Listeners get `changed(kind, detail)` with the kinds text, withdraw, step, line, done, failed.
 */
export class Telling {
  #pacer = new Pacer((event) => this.#show(event));
  #stream = null;
  #stopping = false;
  #closed = false;
  #caughtUp = 0;

  constructor(about, request, runId = null, cursor = 0) {
    Object.assign(this, { about, runId, cursor });
    this.request = { ...request, request_id: request.request_id ?? newRequestId() };
    this.listener = null;
    this.#caughtUp = cursor;
    this.#begin();
  }

  /** The telling that a reload interrupted, or null. */
  static resumed() {
    const kept = tab.get("telling");
    return kept ? new Telling(kept.about, kept.request, kept.runId, kept.cursor) : null;
  }

  get paused() {
    return this.#pacer.paused;
  }

  get ended() {
    return this.phase === "done" || this.phase === "failed";
  }

  #begin() {
    Object.assign(this, { phase: "asking", step: "", progress: 0, shown: [], retelling: false, online: true });
    Object.assign(this, { result: null, failure: null });
    this.standing = new StandingText();
    this.#stopping = false;
    this.#keep();
  }

  async start() {
    try {
      const begun = this.runId ? null : await begin(this.request);
      if (begun) this.runId = begun.runId;
      this.#keep();
      if (this.#stopping) runs.cancel(this.runId).catch(() => {});
      if (this.#closed) begun?.letGo();
      else this.#follow(begun?.letGo);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#fail(error.reason, error.fields);
    }
  }

  #follow(letGo = () => {}) {
    this.phase = "telling";
    this.#stream = new RunStream({
      runId: this.runId,
      onEvent: (event) => {
        letGo();
        this.#receive(event);
      },
      onLine: (online) => this.#line(online),
      onGone: () => this.#fail("RUN_NOT_FOUND"),
      onRefused: (reason) => this.#fail(reason, [], true),
    });
    this.#stream.start();
  }

  /** Withdrawn text is taken away at once, also while paused: a child shall not go on reading it. */
  #receive(event) {
    this.standing.apply(event);
    if (event.type === "retraction") this.#withdraw(event.data.from_segment ?? 0);
    this.#pacer.push(event);
  }

  #withdraw(from) {
    this.#pacer.drop((each) => each.type === "content" && each.data.segment >= from);
    this.shown = this.shown.filter((each) => each.segment < from);
    this.retelling = true;
    this.#changed("withdraw", from);
    if (!this.#isRereading()) this.#pacer.rest(AFTER_RETRACTION);
  }

  #isRereading(sequence = this.cursor + 1) {
    return sequence <= this.#caughtUp;
  }

  #show({ sequence, type, data, progress }) {
    const seen = this.#isRereading(sequence);
    this.cursor = sequence;
    this.progress = Math.max(this.progress, progress);
    if (!seen) this.#keep();
    if (type === "content") return this.#text(data, seen);
    if (type === "node_event" && data.status === "started") this.step = data.node;
    if (type === "complete") this.#done(data);
    else if (type === "error") this.#fail(shortName(data.code ?? "INTERNAL"));
    else this.#changed("step");
    return 0;
  }

  #text({ chunk = "", segment = 0, withdrawn = false }, seen) {
    if (withdrawn || !chunk) return 0;
    this.retelling = false;
    this.shown.push({ segment, chunk });
    this.#changed("text", { segment, chunk, seen });
    return seen ? 0 : BETWEEN_SENTENCES;
  }

  #done(result) {
    this.phase = "done";
    this.progress = 100;
    this.result = result;
    this.about.heading = result.title || this.about.heading;
    this.#keep();
    this.#changed("done");
  }

  #fail(reason, fields = [], resumable = false) {
    this.phase = "failed";
    this.failure = { reason: this.#stopping ? "RUN_CANCELLED" : reason, fields, resumable };
    this.#changed("failed");
  }

  #line(online) {
    if (this.online === online) return;
    this.online = online;
    this.#changed("line");
  }

  #changed(kind, detail) {
    this.listener?.(kind, detail);
  }

  #keep() {
    if (this.#closed) return;
    const { about, request, runId, cursor } = this;
    tab.set("telling", { about, request, runId, cursor });
  }

  pause() {
    this.#pacer.pause();
    this.#changed("step");
  }

  go() {
    this.#pacer.go();
    this.#changed("step");
  }

  /** Stops the run itself. What is held back is not shown any more; the run's `error` event is the end. */
  async stop() {
    this.#stopping = true;
    this.#pacer.drop((each) => each.type === "content");
    this.#pacer.go();
    this.#changed("step");
    if (!this.runId) return;
    await runs.cancel(this.runId).catch((error) => {
      this.#stopping = false;
      throw error;
    });
  }

  get stopping() {
    return this.#stopping && !this.ended;
  }

  /** Tries again: the run where it was left, the same request as long as no run came of it, or a new run of the same. */
  retry() {
    if (this.failure?.resumable) return this.#resume();
    if (this.runId || this.failure?.reason === "REQUEST_ID_REUSED") this.request.request_id = newRequestId();
    this.#stream?.stop();
    this.#pacer.stop();
    Object.assign(this, { runId: null, cursor: 0 });
    this.#caughtUp = 0;
    this.#begin();
    return this.start();
  }

  #resume() {
    this.#pacer.stop();
    this.#caughtUp = this.cursor;
    this.#begin();
    return this.start();
  }

  /** Leaves the telling for good. A run that nobody will read is cancelled. */
  close() {
    this.#stopping = !this.ended;
    this.#stream?.stop();
    this.#pacer.stop();
    this.listener = null;
    this.#closed = true;
    tab.set("telling", undefined);
    if (!this.ended && this.runId) runs.cancel(this.runId).catch(() => {});
  }
}
