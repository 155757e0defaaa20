// Story text on the page: paragraphs of sentences, each sentence its own element, so that it can appear, be
// highlighted while it is spoken, and go.

import { calm, el } from "./dom.js";

const FADE = 900;

/** Cuts a text that came without segments into sentences; joined they are the text. */
export function sentencesOf(text, language) {
  if (!globalThis.Intl?.Segmenter) return text.match(/[^.!?…]+(?:[.!?…]+[”"’')\]]*\s*|$)/g) ?? [text];
  return Array.from(new Intl.Segmenter(language || "en", { granularity: "sentence" }).segment(text), (each) => each.segment);
}

/** Line ends and what stands between them, in order. */
export function pieces(text) {
  return text.split(/(\n+)/).filter(Boolean);
}

export class TextView {
  /** Sentences in order, each `{segment, spans, text}`. */
  sentences = [];
  #paragraph = null;

  constructor(container) {
    this.container = container;
  }

  /** Adds text of a segment; more of the last segment joins it. Answers the sentence. */
  add(segment, text, gentle = false) {
    const sentence = this.#sentence(segment);
    sentence.text += text;
    for (const piece of pieces(text)) {
      if (piece.startsWith("\n\n")) this.#paragraph = null;
      else if (piece === "\n") this.#paragraph?.append(el("br"));
      else this.#append(sentence, piece, gentle);
    }
    return sentence;
  }

  /** The whole text at once. */
  replace(text, language) {
    this.clear();
    sentencesOf(text, language).forEach((each, at) => this.add(at + 1, each));
  }

  clear() {
    this.container.replaceChildren();
    this.sentences = [];
    this.#paragraph = null;
  }

  /** Lets the sentences from a segment on fade away. Answers how many these are. */
  withdraw(from) {
    const leaving = this.sentences.filter((each) => each.segment >= from);
    this.sentences = this.sentences.filter((each) => each.segment < from);
    const spans = leaving.flatMap((each) => each.spans);
    for (const span of spans) {
      span.classList.add("leaving");
      span.setAttribute("aria-hidden", "true");
    }
    const last = this.sentences.at(-1)?.spans.at(-1);
    this.#paragraph = last?.parentElement ?? null;
    setTimeout(() => this.#remove(spans), calm() ? 0 : FADE);
    return leaving.length;
  }

  #remove(spans) {
    for (const span of spans) {
      const paragraph = span.parentElement;
      span.remove();
      if (paragraph && !paragraph.querySelector("span")) paragraph.remove();
      if (paragraph === this.#paragraph && !paragraph.isConnected) this.#paragraph = null;
    }
  }

  #sentence(segment) {
    const last = this.sentences.at(-1);
    if (last?.segment === segment) return last;
    const sentence = { segment, spans: [], text: "" };
    this.sentences.push(sentence);
    return sentence;
  }

  #append(sentence, piece, gentle) {
    if (!this.#paragraph) {
      if (!piece.trim()) return;
      this.#paragraph = el("p");
      this.container.append(this.#paragraph);
    }
    // Spaces stand between the sentences' elements, so that a highlight ends where the words end.
    const [, before, words, after] = /^(\s*)(.*?)(\s*)$/s.exec(piece);
    const span = el("span", { class: gentle ? "sentence arriving" : "sentence", text: words });
    if (words) sentence.spans.push(span);
    this.#paragraph.append(before, ...(words ? [span] : []), after);
  }
}
