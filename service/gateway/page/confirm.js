// Asks before something is gone for good.

import { button, el } from "./dom.js";

/** Answers whether the person agreed; Escape and a tap beside mean no. */
export function confirm({ title, text, yes, no }) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { class: "sheet", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" });
    const close = (answer) => dialog.close(answer);
    dialog.append(el("div", { class: "sheet-inside" },
      el("h2", { id: "confirm-title", text: title }),
      el("p", { id: "confirm-text", text }),
      el("div", { class: "row" },
        button(no, () => close("no"), { kind: "main", autofocus: true }),
        button(yes, () => close("yes"), { kind: "grave", symbol: "bin" }))));
    dialog.addEventListener("click", (event) => event.target === dialog && close("no"));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
