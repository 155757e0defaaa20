import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { PAGE } from "./page.js";

const { errorOf, shortName } = await import(`${PAGE}/api.js`);
const { contents, pathTo, told, turnOf } = await import(`${PAGE}/chapters.js`);
const { chooseVoice } = await import(`${PAGE}/speech.js`);
const { pieces, sentencesOf } = await import(`${PAGE}/textview.js`);
const { THEMES, pictureFor } = await import(`${PAGE}/themes.js`);
const { fieldWords, stepWords, troubleWords } = await import(`${PAGE}/words.js`);

const PROTO = new URL("../../../../protos/fabula/run/v1/run.proto", import.meta.url);

/** Faults of the page or of the service: a parent needs to know no more of them than that something went wrong. */
const WITHOUT_WORDS = [
  "UNSPECIFIED", "MALFORMED_REQUEST", "PAGE_TOKEN_INVALID", "REQUEST_ID_REUSED", "CURSOR_OUT_OF_RANGE",
  "RUN_STATE_CONFLICT", "NOT_IMPLEMENTED", "INTERNAL",
];

const STORY = {
  chapters: [
    { chapter_id: "a", parent_chapter_id: "", chapter_number: 1, choices: [{ id: "1", text: "left" }, { id: "2", text: "right" }] },
    { chapter_id: "b", parent_chapter_id: "a", chapter_number: 2, choice_id: "1", choices: [] },
    { chapter_id: "c", parent_chapter_id: "a", chapter_number: 2, custom_user_input: "we fly", choices: [] },
    { chapter_id: "d", parent_chapter_id: "c", chapter_number: 3, choices: [] },
  ],
};

test("errors are read from google.rpc.Status, or from the HTTP status alone", () => {
  const details = [{ reason: "INPUT_UNFIT" }, { field_violations: [{ field: "theme" }] }];
  const error = errorOf(400, { error: { details } });
  assert.deepEqual([error.reason, error.fields], ["INPUT_UNFIT", ["theme"]]);
  assert.equal(errorOf(503, null).reason, "SHUTTING_DOWN");
  assert.equal(errorOf(418, "teapot").reason, "INTERNAL");
  assert.equal(shortName("ERROR_REASON_RUN_CANCELLED"), shortName("run_cancelled"));
});

test("every trouble has words, known or not", () => {
  for (const reason of ["INPUT_UNFIT", "NO_CONNECTION", "CONTENT_REJECTED", "SOMETHING_NEW", undefined]) {
    const words = troubleWords(reason);
    assert.ok(words.title && words.text && words.other);
  }
  assert.equal(fieldWords(["interests[2]", "theme", "theme", "x"]), "what the reader likes and the idea for the story");
  assert.ok(stepWords("a_node_of_tomorrow"));
});

test("every reason of the contract that a parent may meet has words of its own", () => {
  const reasons = [...readFileSync(PROTO, "utf8").matchAll(/^  ERROR_REASON_(\w+) = \d+;/gm)].map((found) => found[1]);
  const { title } = troubleWords("SOMETHING_NEW");
  assert.ok(reasons.includes("IDENTITY_UNAVAILABLE"));
  assert.deepEqual(reasons.filter((each) => troubleWords(each).title === title), WITHOUT_WORDS);
});

test("a story is a tree of chapters", () => {
  assert.deepEqual(contents(STORY).map((each) => [each.chapter.chapter_id, each.depth]), [["a", 0], ["b", 0], ["c", 1], ["d", 1]]);
  assert.deepEqual(pathTo(STORY, "d").map((each) => each.chapter_id), ["a", "c", "d"]);
  assert.deepEqual(STORY.chapters.map((each) => turnOf(STORY, each)), ["", "left", "we fly", ""]);
  const before = told(STORY, "a");
  assert.deepEqual([...before.choices.keys(), ...before.own.map((each) => each.chapter_id)], ["1", "c"]);
});

test("a chapter that is its own ancestor does not hang the page", () => {
  assert.equal(pathTo({ chapters: [{ chapter_id: "x", parent_chapter_id: "x" }] }, "x").length, 1);
});

test("the voice is the device's own and of the child's language", () => {
  const voice = (lang, localService, name) => ({ lang, localService, name });
  const voices = [voice("en-US", false, "far"), voice("de_DE", true, "de"), voice("en-GB", true, "gb"), voice("en-US", true, "us")];
  assert.equal(chooseVoice(voices, "en-US").name, "us");
  assert.equal(chooseVoice(voices, "en").name, "gb");
  assert.equal(chooseVoice(voices, "de").name, "de");
  assert.equal(chooseVoice(voices, "fr"), null);
  assert.equal(chooseVoice([voices[0]], "en"), null);
});

test("a text is cut into sentences and paragraphs without losing a byte", () => {
  const text = "One. “Two?” said the fox.\n\nThree!\nFour… 🦊";
  assert.equal(sentencesOf(text, "en").join(""), text);
  assert.equal(pieces(text).join(""), text);
  assert.deepEqual(pieces("a\n\nb\nc"), ["a", "\n\n", "b", "\n", "c"]);
});

test("every theme has its picture, and other words find one", () => {
  for (const each of THEMES) assert.equal(pictureFor(each.theme), each.file);
  assert.equal(pictureFor("Two foxes"), "book");
  assert.equal(pictureFor("the Dragons of the hill"), "dragon");
  assert.equal(pictureFor("a boat in the night"), "boat");
  assert.equal(pictureFor(undefined), "book");
  assert.ok(THEMES.length >= 12);
});
