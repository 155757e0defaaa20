// Asks for the key of a service that wants one, and goes on with what was refused for want of it.

import { session } from "./api.js";
import { el, icon } from "./dom.js";
import { troubleWords } from "./words.js";

// PERMISSION_DENIED too: a key that allows too little could never be replaced otherwise.
const NEEDS_KEY = new Set(["UNAUTHENTICATED", "TOKEN_EXPIRED", "PERMISSION_DENIED"]);

/** The form, or null when it is not a key that is wanting. */
export function keyForm(reason, again) {
  if (!NEEDS_KEY.has(reason) || !again) return null;
  const input = el("input", {
    type: "password", id: "key", name: "key", required: true, autocomplete: "off", spellcheck: false,
    "aria-describedby": "key-fault",
  });
  const fault = el("p", { class: "hint", id: "key-fault" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await session.open(input.value.trim());
    } catch (error) {
      fault.textContent = faultWords(error);
      return input.focus();
    }
    return again();
  };
  return el("form", { class: "field", on: { submit } },
    el("label", { for: "key", text: "Key" }), fault,
    el("div", { class: "row nowrap" }, input,
      el("button", { type: "submit", class: "button main" }, icon("arrow"), el("span", { text: "Open" }))));
}

/** Only the service's word makes it no key; a key that could not be handed over may be a good one. */
function faultWords({ reason, status }) {
  if (reason === "VALIDATION_FAILED" || status === 400) return "This is no key. Please copy it once more, the whole of it.";
  const { title, text } = troubleWords(reason);
  return `${title}. ${text}`;
}
