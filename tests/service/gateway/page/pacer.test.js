import assert from "node:assert/strict";
import test from "node:test";
import { Clock, PAGE } from "./page.js";

const { Pacer } = await import(`${PAGE}/pacer.js`);

function paced(wait = 100) {
  const clock = new Clock();
  const shown = [];
  const pacer = new Pacer((event) => {
    shown.push(event);
    return event === "quick" ? 0 : wait;
  }, clock);
  return { clock, shown, pacer };
}

test("one after another, with a rest between", () => {
  const { clock, shown, pacer } = paced();
  ["a", "b", "quick", "c"].forEach((each) => pacer.push(each));
  assert.deepEqual(shown, ["a"]);
  clock.pass(100);
  assert.deepEqual(shown, ["a", "b"]);
  clock.pass(100);
  assert.deepEqual(shown, ["a", "b", "quick", "c"]);
});

test("a pause holds everything back, in its order", () => {
  const { clock, shown, pacer } = paced();
  pacer.push("a");
  pacer.pause();
  pacer.push("b");
  clock.pass(1000);
  assert.deepEqual(shown, ["a"]);
  pacer.go();
  clock.pass(100);
  assert.deepEqual(shown, ["a", "b"]);
});

test("what is dropped before it was shown is never shown", () => {
  const { clock, shown, pacer } = paced();
  ["a", "b", "c"].forEach((each) => pacer.push(each));
  pacer.drop((each) => each === "b");
  clock.pass(1000);
  assert.deepEqual(shown, ["a", "c"]);
});

test("a rest delays the next, and does not end a pause", () => {
  const { clock, shown, pacer } = paced();
  ["a", "b"].forEach((each) => pacer.push(each));
  pacer.rest(500);
  clock.pass(499);
  assert.deepEqual(shown, ["a"]);
  clock.pass(1);
  assert.deepEqual(shown, ["a", "b"]);
  pacer.pause();
  pacer.rest(10);
  pacer.push("c");
  clock.pass(1000);
  assert.deepEqual(shown, ["a", "b"]);
});
