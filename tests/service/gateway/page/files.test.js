import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { PAGE } from "./page.js";

const { ICONS } = await import(`${PAGE}/icons.js`);
const { THEMES, faceFor } = await import(`${PAGE}/themes.js`);
const folder = fileURLToPath(new URL(`${PAGE}/`, import.meta.url));
const names = readdirSync(folder);
const text = (name) => readFileSync(folder + name, "utf8");
const ending = (...ends) => names.filter((name) => ends.some((each) => name.endsWith(each)));

test("whatever the page names is there", () => {
  for (const name of ending(".js", ".html", ".css")) {
    for (const [, file] of text(name).matchAll(/\/static\/([\w-]+\.\w+)/g)) assert.ok(names.includes(file), `${name}: ${file}`);
    for (const [, file] of text(name).matchAll(/picture\("([\w-]+)"/g)) assert.ok(names.includes(`${file}.svg`), `${name}: ${file}`);
    for (const [, file] of text(name).matchAll(/from "\.\/([^"]+)"/g)) assert.ok(names.includes(file), `${name}: ${file}`);
  }
  for (const each of THEMES) assert.ok(existsSync(`${folder}${each.file}.svg`), each.file);
  for (const id of ["", "1", "abc", "zzzzz", "0f", "9a"]) assert.ok(existsSync(`${folder}${faceFor(id)}.svg`));
});

test("every icon that is asked for is drawn", () => {
  const asked = ending(".js").flatMap((name) => [...text(name).matchAll(/(?:symbol: |icon\()"([\w-]+)"/g)].map((each) => each[1]));
  for (const each of asked) assert.ok(ICONS[each], each);
});

test("the page stands under a strict policy: nothing inline, nothing from elsewhere, no markup from text", () => {
  for (const name of names) {
    assert.doesNotMatch(text(name).replaceAll("http://www.w3.org/", ""), /https?:\/\//, name);
    assert.doesNotMatch(text(name), / style=|<style|javascript:|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/, name);
  }
  assert.doesNotMatch(text("index.html"), /<script(?![^>]* src=)| on\w+=/);
});

test("there is one live region", () => {
  const regions = ending(".js", ".html").flatMap((name) => text(name).match(/aria-live|role: "(?:status|alert|log)"|"output"/g) ?? []);
  assert.deepEqual(regions, ["aria-live"]);
});
