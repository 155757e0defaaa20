// Who is reading today?

import { children } from "./api.js";
import { el, icon, picture } from "./dom.js";
import { faceFor } from "./themes.js";

export async function show(app) {
  const all = await children.list();
  const choose = (child) => {
    app.chooseChild(child);
    app.go("#/themes");
  };
  const element = el("div", { class: "wide" },
    el("header", { class: "hero" },
      picture("hero", { class: "hero-picture", width: 960, height: 320 }),
      el("h1", { text: all.length ? "Who is reading today?" : "Welcome! Who is reading?" }),
      el("p", { class: "lead", text: "A computer tells every story afresh, for one reader, and checks it before a word of it is shown." })),
    el("ul", { class: "readers" }, all.map((child) => card(child, choose)), addCard()));
  return { element, title: "Who is reading?" };
}

function card(child, choose) {
  return el("li", {},
    el("button", { type: "button", class: "reader", on: { click: () => choose(child) } },
      picture(faceFor(child.child_id), { width: 112, height: 112 }),
      el("span", { class: "reader-name", text: child.nickname }),
      el("span", { class: "reader-age", text: `${child.age} years` })),
    el("a", { class: "quiet-link", href: `#/readers/${encodeURIComponent(child.child_id)}` },
      icon("pencil"), el("span", { text: "Change" }), el("span", { class: "visually-hidden", text: ` ${child.nickname}` })));
}

function addCard() {
  return el("li", {}, el("a", { class: "reader reader-new", href: "#/readers/new" },
    el("span", { class: "reader-plus" }, icon("plus")),
    el("span", { class: "reader-name", text: "Add a reader" })));
}
