// The text that stands: content in order, less what a retraction withdrew. The chunks are joined byte for byte.

export class StandingText {
  #chunks = [];

  /** Takes the next event; those that hold no text change nothing. */
  apply({ type, data }) {
    if (type === "content") this.#add(data);
    else if (type === "retraction") this.#drop(data.from_segment ?? 0);
  }

  get text() {
    return this.#chunks.map((each) => each.chunk).join("");
  }

  #add({ chunk = "", segment = 0, withdrawn = false }) {
    if (!withdrawn) this.#chunks.push({ chunk, segment });
  }

  #drop(from) {
    this.#chunks = this.#chunks.filter((each) => each.segment < from);
  }
}
