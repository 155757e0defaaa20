import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { FakeSource, PAGE, browser, json, settle } from "./page.js";

const { Telling, newRequestId } = await import(`${PAGE}/telling.js`);
let clock;

beforeEach(() => {
  clock = browser();
});

async function told({ cursor = 0 } = {}) {
  const telling = new Telling({ heading: "A fox" }, { theme: "a fox" }, "run1", cursor);
  const changes = [];
  telling.listener = (kind, detail) => changes.push([kind, detail]);
  await telling.start();
  return { telling, changes, source: FakeSource.last };
}

const texts = (telling) => telling.shown.map((each) => each.chunk);
const say = (source, sequence, segment, chunk) => source.tell(sequence, "content", { segment, chunk }, sequence);

test("a request_id is made once, and fits the contract", () => {
  assert.match(newRequestId(), /^[!-~]{1,128}$/);
  assert.notEqual(newRequestId(), newRequestId());
});

test("sentences are shown one by one, and the end after the last of them", async () => {
  const { telling, source } = await told();
  say(source, 1, 1, "a");
  say(source, 2, 2, "b");
  source.tell(3, "complete", { title: "T" }, 100);
  assert.deepEqual(texts(telling), ["a"]);
  assert.equal(telling.phase, "telling");
  clock.pass(1000);
  assert.deepEqual(texts(telling), ["a", "b"]);
  assert.equal(telling.phase, "done");
  assert.equal(telling.about.heading, "T");
});

test("withdrawn text goes at once, also what a pause holds back", async () => {
  const { telling, changes, source } = await told();
  say(source, 1, 1, "a");
  telling.pause();
  say(source, 2, 2, "b");
  source.tell(3, "retraction", { from_segment: 1 });
  assert.deepEqual(texts(telling), []);
  assert.deepEqual(changes.filter(([kind]) => kind === "withdraw"), [["withdraw", 1]]);
  say(source, 4, 1, "c");
  telling.go();
  clock.pass(5000);
  assert.deepEqual(texts(telling), ["c"]);
  assert.equal(telling.standing.text, "c");
});

test("after a reload the run is followed from its start, and what was seen is there at once", async () => {
  await told();
  say(FakeSource.last, 1, 1, "a");
  say(FakeSource.last, 2, 2, "b");
  clock.pass(1000);
  const again = Telling.resumed();
  await again.start();
  assert.equal(again.runId, "run1");
  assert.equal(FakeSource.last.url, "/api/v1/stories/runs/run1/stream");
  say(FakeSource.last, 1, 1, "a");
  say(FakeSource.last, 2, 2, "b");
  say(FakeSource.last, 3, 3, "c");
  assert.deepEqual(texts(again), ["a", "b", "c"]);
});

test("nothing of the story is kept in the browser", async () => {
  const { source } = await told();
  say(source, 1, 1, "a secret sentence");
  assert.doesNotMatch(sessionStorage.getItem("fabula.telling"), /secret/);
});

test("a refusal before the run is told, and a retry asks with the same id", async () => {
  const bodies = [];
  globalThis.fetch = async (_, options) => {
    bodies.push(JSON.parse(options.body));
    return json(429, { error: { details: [{ reason: "TOO_MANY_RUNS" }] } });
  };
  const telling = new Telling({}, { theme: "a fox" });
  await telling.start();
  assert.deepEqual(telling.failure, { reason: "TOO_MANY_RUNS", fields: [], resumable: false });
  await telling.retry();
  assert.equal(bodies[0].request_id, bodies[1].request_id);
});

test("a retry after a run that failed is a run of its own", async () => {
  const { telling, source } = await told();
  const before = telling.request.request_id;
  source.tell(1, "error", { code: "content_rejected" });
  assert.equal(telling.failure.reason, "CONTENT_REJECTED");
  globalThis.fetch = async () => json(503, null);
  await telling.retry();
  assert.notEqual(telling.request.request_id, before);
  assert.equal(telling.failure.reason, "SHUTTING_DOWN");
});

test("stop cancels the run and shows nothing more of it", async () => {
  const asked = [];
  globalThis.fetch = async (path) => {
    asked.push(path);
    return json(200, {});
  };
  const { telling, source } = await told();
  say(source, 1, 1, "a");
  say(source, 2, 2, "b");
  await telling.stop();
  source.tell(3, "error", { code: "run_cancelled" });
  clock.pass(5000);
  assert.deepEqual(asked, ["/api/v1/runs/run1:cancel"]);
  assert.deepEqual(texts(telling), ["a"]);
  assert.equal(telling.failure.reason, "RUN_CANCELLED");
});
