// Text size, letters, light and the pace of reading aloud; kept on this device.

import { announce } from "./announcer.js";
import { button, el } from "./dom.js";
import { device } from "./keep.js";

const SMALLEST = 1;
const LARGEST = 6;
const DEFAULTS = { size: 3, letters: "book", light: "auto", pace: "calm" };
const RATES = { slow: 0.7, calm: 0.88, brisk: 1.05 };

export function settings() {
  return { ...DEFAULTS, ...device.get("settings") };
}

/** How fast to read aloud; 1 is the device's own pace. */
export function speechRate() {
  return RATES[settings().pace] ?? 1;
}

function change(name, value) {
  const changed = { ...settings(), [name]: value };
  device.set("settings", changed);
  Object.assign(document.documentElement.dataset, { size: changed.size, letters: changed.letters, light: changed.light });
}

/** Lets the button open the settings. */
export function show(opener) {
  const dialog = build();
  document.body.append(dialog);
  opener.addEventListener("click", () => dialog.showModal());
  // A tap beside the dialogue closes it, as people expect on a phone.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

function build() {
  const dialog = el("dialog", { class: "sheet", "aria-labelledby": "settings-title" });
  dialog.append(el("div", { class: "sheet-inside" },
    el("h2", { id: "settings-title", text: "Text and light" }),
    sizeRow(),
    radios("Letters", "letters", [["book", "Picture book"], ["easy", "Easier to tell apart"]]),
    radios("Light", "light", [["auto", "Like the device"], ["day", "Day"], ["night", "Bedtime"]]),
    radios("Reading aloud", "pace", [["slow", "Slow"], ["calm", "Calm"], ["brisk", "Brisk"]]),
    button("Done", () => dialog.close(), { kind: "main" })));
  return dialog;
}

function sizeRow() {
  const words = () => `${settings().size} of ${LARGEST}`;
  const shown = el("span", { class: "size-shown", text: words() });
  const step = (by) => {
    change("size", Math.min(LARGEST, Math.max(SMALLEST, settings().size + by)));
    shown.textContent = words();
    announce(`Text size ${words()}`);
  };
  return el("fieldset", { class: "choices-row" }, el("legend", { text: "Text size" }), el("div", { class: "row size-row" },
    button("Smaller", () => step(-1), { symbol: "minus" }), shown, button("Larger", () => step(1), { symbol: "plus" })));
}

function radios(legend, name, options) {
  const row = options.map(([value, words]) => el("label", { class: "pill" },
    el("input", { type: "radio", name, value, checked: settings()[name] === value, on: { change: () => change(name, value) } }),
    el("span", { text: words })));
  return el("fieldset", { class: "choices-row" }, el("legend", { text: legend }), el("div", { class: "pills" }, row));
}
