import assert from "node:assert/strict";
import test from "node:test";
import { PAGE } from "./page.js";

const { StandingText } = await import(`${PAGE}/standing.js`);
const content = (segment, chunk, more = {}) => ({ type: "content", data: { segment, chunk, ...more } });
const folded = (...events) => {
  const text = new StandingText();
  events.forEach((each) => text.apply(each));
  return text.text;
};

test("chunks join byte for byte", () => {
  assert.equal(folded(content(1, "A\r\n"), content(2, " 🦊\u2028"), content(2, "")), "A\r\n 🦊\u2028");
});

test("a retraction withdraws its segment and all later ones, whatever their revision", () => {
  const retraction = { type: "retraction", data: { from_segment: 2, revision: 2 } };
  assert.equal(folded(content(1, "a"), content(2, "b"), content(3, "c"), retraction, content(2, "d")), "ad");
});

test("what the log has blanked is skipped", () => {
  assert.equal(folded(content(1, "a"), content(2, "", { withdrawn: true }), content(2, "b")), "ab");
});

test("other events change nothing", () => {
  assert.equal(folded(content(1, "a"), { type: "metadata", data: {} }, { type: "complete", data: {} }), "a");
});
