// Puts the page together: who reads, which view is shown, and the story under way.

import { children } from "./api.js";
import { show as chapterView } from "./chapter_view.js";
import { show as chooseView } from "./choose_view.js";
import { device } from "./keep.js";
import { show as readerForm } from "./reader_form.js";
import { show as readersView } from "./readers_view.js";
import { show as readingView } from "./reading_view.js";
import { show as settingsUp } from "./settings_view.js";
import { show as shelfView } from "./shelf_view.js";
import { show as storyView } from "./story_view.js";
import { Telling } from "./telling.js";
import { faceFor } from "./themes.js";
import { trouble } from "./trouble.js";

const ROUTES = [
  [/^#\/readers$/, readersView],
  [/^#\/readers\/new$/, readerForm],
  [/^#\/readers\/([^/]+)$/, readerForm],
  [/^#\/themes$/, chooseView, true],
  [/^#\/reading$/, readingView],
  [/^#\/shelf$/, shelfView, true],
  [/^#\/shelf\/([^/]+)$/, storyView, true],
  [/^#\/shelf\/([^/]+)\/([^/]+)$/, chapterView, true],
];

const root = document.getElementById("view");
const byId = (id) => document.getElementById(id);

/** What all views share. */
const app = {
  child: null,
  telling: null,
  root,

  /** Goes to a view; the browser's own back leads out of it again. */
  go(hash) {
    if (location.hash === hash) route();
    else location.hash = hash;
  },

  chooseChild(child) {
    if (app.telling?.about.child.child_id !== child?.child_id) app.leaveTelling();
    app.child = child;
    device.set("reader", child?.child_id);
    drawTop();
  },

  /** Begins a chapter and shows it. */
  tell(about, request) {
    app.telling?.close();
    app.telling = new Telling(about, request);
    app.telling.start();
    app.go("#/reading");
  },

  leaveTelling() {
    app.telling?.close();
    app.telling = null;
    drawTop();
  },

  drawTop,
};

let leave = null;
let turn = 0;

async function route() {
  const mine = ++turn;
  leave?.();
  leave = null;
  const found = ROUTES.map(([pattern, view, reader]) => ({ match: pattern.exec(location.hash), view, reader }))
    .find((each) => each.match);
  if (!found || (found.reader && !app.child)) return replace(app.child ? "#/themes" : "#/readers");
  drawTop();
  await draw(found, () => mine === turn);
}

/** A view answers its element and how to leave it; it is drawn only if nobody has gone elsewhere meanwhile. */
async function draw({ match, view }, isCurrent) {
  try {
    const shown = await view(app, ...match.slice(1).map(decodeURIComponent));
    if (!isCurrent()) return shown.leave?.();
    leave = shown.leave ?? null;
    put(shown.element, shown.title);
  } catch (error) {
    if (isCurrent()) put(trouble(error.reason, { again: route, other: () => app.go("#/themes") }), "");
  }
}

function put(element, title) {
  root.replaceChildren(element);
  document.title = title ? `${title} · Fabula` : "Fabula";
  scrollTo(0, 0);
  const heading = root.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  (heading ?? root).focus({ preventScroll: true });
}

function replace(hash) {
  history.replaceState(null, "", hash);
  route();
}

function drawTop() {
  const reader = byId("to-readers");
  document.body.classList.toggle("has-reader", Boolean(app.child));
  reader.hidden = byId("to-shelf").hidden = !app.child;
  if (app.child) {
    reader.querySelector("span").textContent = app.child.nickname;
    reader.querySelector("img").src = `/static/${faceFor(app.child.child_id)}.svg`;
    reader.setAttribute("aria-label", `${app.child.nickname} is reading. Choose another reader`);
  }
  byId("back-to-story").hidden = !app.telling || location.hash === "#/reading";
}

/** Fetched at once and held: these are needed just when nothing can be fetched any more. */
app.spare = ["trouble", "rest", "sign", "end"].map((name) => Object.assign(new Image(), { src: `/static/${name}.svg` }));

/** The reader of the last time, if the service still knows that child. */
async function rememberedChild() {
  const known = device.get("reader");
  if (!known) return null;
  const all = await children.list();
  return all.find((each) => each.child_id === known) ?? null;
}

async function begin() {
  settingsUp(byId("open-settings"));
  app.telling = Telling.resumed();
  app.child = app.telling?.about.child ?? null;
  app.telling?.start();
  addEventListener("hashchange", route);
  // Some browsers go on speaking when the page is gone.
  addEventListener("pagehide", () => globalThis.speechSynthesis?.cancel());
  if (app.child) return route();
  try {
    app.child = await rememberedChild();
  } catch (error) {
    return put(trouble(error.reason, { again: () => location.reload() }), "");
  }
  return route();
}

begin();
