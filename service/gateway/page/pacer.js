// Hands events on one by one, at a pace that a child can follow, and holds them back while it is paused.

export class Pacer {
  #queue = [];
  #timer = null;
  #paused = false;

  /** `show` takes an event and answers how many milliseconds to wait before the next one. */
  constructor(show, clock = globalThis) {
    this.show = show;
    this.clock = clock;
  }

  get paused() {
    return this.#paused;
  }

  push(event) {
    this.#queue.push(event);
    this.#run();
  }

  pause() {
    this.#paused = true;
    this.#rest();
  }

  go() {
    this.#paused = false;
    this.#run();
  }

  /** Forgets what is held back and matches, before anyone has seen it. */
  drop(matches) {
    this.#queue = this.#queue.filter((each) => !matches(each));
  }

  /** Waits before the next event, whatever was to be waited. */
  rest(milliseconds) {
    this.#rest();
    if (!this.#paused) this.#wait(milliseconds);
  }

  stop() {
    this.#queue = [];
    this.#rest();
  }

  #rest() {
    this.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #wait(milliseconds) {
    this.#timer = this.clock.setTimeout(() => {
      this.#timer = null;
      this.#run();
    }, milliseconds);
  }

  #run() {
    while (this.#timer === null && !this.#paused && this.#queue.length) {
      const wait = this.show(this.#queue.shift());
      if (wait > 0) this.#wait(wait);
    }
  }
}
