import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { FakeSource, PAGE, browser, json, settle } from "./page.js";

const { RunStream, begin, parse } = await import(`${PAGE}/stream.js`);
let clock;

beforeEach(() => {
  clock = browser();
});

function followed(after = 0) {
  const seen = { events: [], line: [], gone: 0 };
  const stream = new RunStream({
    runId: "run1", after, onEvent: ({ sequence }) => seen.events.push(sequence), onLine: (line) => seen.line.push(line),
    onGone: () => seen.gone++,
  });
  stream.start();
  return { stream, seen };
}

test("reads an event, and leaves what is none", () => {
  const message = { lastEventId: "a:b:7", data: '{"type":"content","data":{"chunk":"x"},"progress":31}' };
  assert.deepEqual(parse(message), { sequence: 7, type: "content", data: { chunk: "x" }, progress: 31 });
  assert.equal(parse({ lastEventId: "", data: "{}" }), null);
  assert.equal(parse({ lastEventId: "run1:0", data: "{}" }), null);
});

test("every event once and in order, whatever a proxy repeats", () => {
  const { seen } = followed();
  [1, 2, 2, 1, 3].forEach((sequence) => FakeSource.last.tell(sequence, "content"));
  assert.deepEqual(seen.events, [1, 2, 3]);
});

test("the first address has no cursor, later ones have the last event's id", () => {
  followed();
  assert.equal(FakeSource.last.url, "/api/v1/stories/runs/run1/stream");
  FakeSource.last.tell(4, "content");
  window.dispatchEvent(new Event("online"));
  assert.equal(FakeSource.last.url, "/api/v1/stories/runs/run1/stream?last_event_id=run1%3A4");
});

test("stops for good after the terminal event", async () => {
  for (const terminal of ["complete", "error"]) {
    FakeSource.opened = [];
    const { seen } = followed();
    FakeSource.last.tell(1, terminal);
    FakeSource.last.tell(2, "content");
    window.dispatchEvent(new Event("online"));
    clock.pass(600_000);
    await settle();
    assert.deepEqual(seen.events, [1]);
    assert.equal(FakeSource.opened.length, 1);
    assert.equal(FakeSource.last.readyState, FakeSource.CLOSED);
  }
});

test("offline closes the line, online opens it again", () => {
  const { seen } = followed();
  window.dispatchEvent(new Event("offline"));
  assert.equal(FakeSource.last.readyState, FakeSource.CLOSED);
  window.dispatchEvent(new Event("online"));
  FakeSource.last.dispatchEvent(new Event("open"));
  assert.equal(FakeSource.opened.length, 2);
  assert.deepEqual(seen.line, [false, true]);
});

test("comes back after an HTTP status, more and more slowly, as long as the run is there", async () => {
  globalThis.fetch = async () => json(200, { run: {} });
  const { seen } = followed();
  for (const wait of [500, 1000, 2000]) {
    const before = FakeSource.opened.length;
    FakeSource.last.giveUp();
    await settle();
    clock.pass(wait - 1);
    assert.equal(FakeSource.opened.length, before);
    clock.pass(1);
    assert.equal(FakeSource.opened.length, before + 1);
  }
  assert.equal(seen.gone, 0);
});

test("a cursor that is refused again and again is left out, and nothing comes twice", async () => {
  globalThis.fetch = async () => json(200, { run: {} });
  const { seen } = followed();
  FakeSource.last.tell(1, "content");
  for (let turn = 0; turn < 3; turn++) {
    FakeSource.last.giveUp();
    await settle();
    clock.pass(8000);
  }
  assert.equal(FakeSource.last.url, "/api/v1/stories/runs/run1/stream");
  [1, 2].forEach((sequence) => FakeSource.last.tell(sequence, "content"));
  assert.deepEqual(seen.events, [1, 2]);
});

test("a run that the service does not know is gone", async () => {
  globalThis.fetch = async () => json(404, { error: { details: [{ reason: "RUN_NOT_FOUND" }] } });
  const { seen } = followed();
  FakeSource.last.giveUp();
  await settle();
  clock.pass(600_000);
  assert.equal(seen.gone, 1);
  assert.equal(FakeSource.opened.length, 1);
});

test("a service that can't be reached is asked again", async () => {
  globalThis.fetch = async () => {
    throw new TypeError("no network");
  };
  const { seen } = followed();
  FakeSource.last.giveUp();
  await settle();
  clock.pass(500);
  assert.equal(seen.gone, 0);
  assert.equal(FakeSource.opened.length, 2);
});

test("silence is not trusted for ever", () => {
  followed();
  clock.pass(60_000);
  assert.equal(FakeSource.opened.length, 2);
});

function answering(...pieces) {
  const bytes = pieces.map((each) => new TextEncoder().encode(each));
  globalThis.fetch = async (path, options) => {
    globalThis.asked = { path, options };
    return { ok: true, body: { getReader: () => ({ read: async () => ({ value: bytes[0], done: !bytes.shift() }) }) } };
  };
}

test("begins by POST and finds the run's id, wherever the answer is cut", async () => {
  answering("retry: 1000\n\ni", "d: 0ab_-", "9:1", "\nevent: story_chunk\n");
  const { runId } = await begin({ theme: "a fox", request_id: "r1" });
  assert.equal(runId, "0ab_-9");
  assert.equal(globalThis.asked.path, "/api/v1/stories/generate/stream");
  assert.deepEqual(JSON.parse(globalThis.asked.options.body), { theme: "a fox", request_id: "r1" });
});

test("an answer that ends before its first event is asked for again, and in the end a lost connection", async () => {
  const asked = [];
  globalThis.fetch = async (path, { body }) => {
    asked.push(body);
    return { ok: true, body: { getReader: () => ({ read: async () => ({ done: true }) }) } };
  };
  const end = begin({ request_id: "r1" }).catch((error) => error.reason);
  for (let turn = 0; turn < 5; turn++) {
    await settle();
    clock.pass(8_000);
  }
  assert.equal(await end, "NO_CONNECTION");
  assert.deepEqual(asked, Array(6).fill('{"request_id":"r1"}'));
});
