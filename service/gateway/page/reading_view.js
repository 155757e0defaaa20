// A chapter while it is being told.

import { announce } from "./announcer.js";
import { aloudControls, isTalking } from "./aloud_controls.js";
import { chapterPage } from "./chapter_page.js";
import { button, calm, el, icon, relabel } from "./dom.js";
import { Sign } from "./sign.js";
import { trouble } from "./trouble.js";
import { theEnd, turns } from "./turns.js";

export function show(app) {
  if (!app.telling) {
    app.go("#/themes");
    return { element: el("div"), title: "" };
  }
  const view = new ReadingView(app, app.telling);
  return { element: view.page.element, title: app.telling.about.heading, leave: () => view.leave() };
}

class ReadingView {
  constructor(app, telling) {
    Object.assign(this, { app, telling, sign: new Sign() });
    this.language = telling.about.child.language || "en";
    this.page = chapterPage({ ...telling.about, language: this.language });
    this.#controls();
    this.#follow();
    telling.listener = (kind, detail) => this.#changed(kind, detail);
    telling.shown.forEach(({ segment, chunk }) => this.page.text.add(segment, chunk));
    if (telling.phase === "done") this.#done();
    else if (telling.phase === "failed") this.#failed();
    else this.#step();
  }

  leave() {
    this.telling.listener = null;
    removeEventListener("online", this.again);
    this.aloud?.stop();
    this.watcher.disconnect();
  }

  #controls() {
    const { elements, aloud } = aloudControls(this.page.text, this.language, () => !this.telling.ended);
    this.aloud = aloud;
    this.pause = button("Pause", () => (this.telling.paused ? this.telling.go() : this.telling.pause()), { symbol: "pause" });
    this.stop = button("Stop", () => this.#stop(), { symbol: "stop" });
    this.below = el("button", { type: "button", class: "more-below", hidden: true, on: { click: () => this.#toEnd() } },
      icon("down"), el("span", { text: "More below" }));
    this.page.controls.append(this.below, this.pause, this.stop, ...elements);
  }

  /** The page never scrolls under a child's eyes by itself; a button says that there is more. */
  #follow() {
    this.end = el("div", { class: "end-mark" });
    this.page.below.before(this.end);
    this.page.below.append(this.sign.element);
    this.watcher = new IntersectionObserver(([seen]) => {
      const isAbove = seen.boundingClientRect.top < 0;
      this.below.hidden = seen.isIntersecting || isAbove || isTalking(this.aloud);
    }, { rootMargin: "0px 0px -96px 0px" });
    this.watcher.observe(this.end);
  }

  #toEnd() {
    // A screenful on, not to the very end: what lies between is still to be read.
    scrollBy({ top: innerHeight * 0.75, behavior: calm() ? "auto" : "smooth" });
  }

  async #stop() {
    this.aloud?.stop();
    this.page.below.querySelector(".trouble")?.remove();
    try {
      await this.telling.stop();
    } catch (error) {
      this.page.below.append(trouble(error.reason, { again: () => this.#stop(), level: "h2" }));
    }
  }

  #changed(kind, detail) {
    if (kind === "text") this.#text(detail);
    else if (kind === "withdraw") this.#withdraw(detail);
    else if (kind === "done") this.#done();
    else if (kind === "failed") this.#failed();
    if (!this.telling.ended) this.#step();
  }

  #text({ segment, chunk, seen }) {
    this.page.text.add(segment, chunk, !seen);
    if (!seen && !isTalking(this.aloud)) announce(chunk);
    this.aloud?.textChanged();
  }

  #withdraw(from) {
    this.page.text.withdraw(from);
    this.aloud?.withdrawn();
  }

  #step() {
    const news = this.sign.draw(this.telling);
    if (news && !isTalking(this.aloud)) announce(news);
    const paused = this.telling.paused;
    relabel(this.pause, paused ? "Go on" : "Pause", paused ? "play" : "pause");
  }

  /** Pause and stop have nothing left to do; focus that was on them goes to what is new. */
  #finish(...elements) {
    const had = [this.pause, this.stop].includes(document.activeElement);
    this.pause.hidden = this.stop.hidden = this.below.hidden = true;
    this.watcher.disconnect();
    this.page.controls.hidden = this.page.text.sentences.length === 0;
    this.page.below.replaceChildren(...elements);
    this.aloud?.textChanged();
    this.app.drawTop();
    if (had) focusOn(this.page.below.querySelector("h2"));
  }

  #done() {
    const { result, about } = this.telling;
    if (this.telling.standing.text !== result.story_content) this.page.text.replace(result.story_content, this.language);
    this.page.title.textContent = result.title || about.heading;
    document.title = `${result.title || about.heading} · Fabula`;
    this.page.countChapters(result.chapter_number || about.chapterNumber, result.planned_chapters);
    const choices = result.choices ?? [];
    if (choices.length) this.#ask(result, choices);
    else this.#close(result);
  }

  #ask(result, choices) {
    this.#finish(turns({
      choices, question: result.choice_question, language: this.language, onTurn: (words, turn) => this.#next(words, turn),
    }));
    announce(`${result.choice_question || "What happens next?"} ${choices.map((each) => each.text).join(". ")}`);
  }

  #close(result) {
    this.#finish(theEnd({
      onNew: () => this.app.go("#/themes"),
      onShelf: () => this.app.go("#/shelf"),
      onAgain: () => this.app.go(`#/shelf/${encodeURIComponent(result.story_id)}`),
    }));
    announce("The end");
  }

  #next(words, turn) {
    const { result, about } = this.telling;
    const next = {
      child: about.child, picture: about.picture, heading: result.title, turn: words,
      chapterNumber: (result.chapter_number || 1) + 1, planned: result.planned_chapters,
    };
    const request = { child_id: about.child.child_id, story_id: result.story_id, chapter_id: result.chapter_id };
    this.app.tell(next, { ...request, ...turn });
  }

  #failed() {
    const { reason, fields } = this.telling.failure;
    this.page.element.classList.toggle("unfinished", this.telling.shown.length > 0);
    this.again = () => {
      this.telling.retry();
      this.app.go("#/reading");
    };
    // The request carries its id, so that asking again by ourselves begins no second run.
    if (reason === "NO_CONNECTION") addEventListener("online", this.again, { once: true });
    const other = () => {
      this.app.leaveTelling();
      this.app.go("#/themes");
    };
    this.#finish(trouble(reason, { again: this.again, other, fields, level: "h2" }));
  }
}

function focusOn(element) {
  element?.setAttribute("tabindex", "-1");
  element?.focus({ preventScroll: true });
}
