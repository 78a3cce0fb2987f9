/** An async iterable of what is pushed into it. */
export class Stream {
  #waiting = [];
  #wake = () => {};
  #over = null;

  push = (value) => this.#change(() => this.#waiting.push(value));
  end = () => this.#change(() => (this.#over ??= { error: null }));
  fail = (error) => this.#change(() => (this.#over ??= { error }));

  get sink() {
    return { next: this.push, complete: this.end, error: this.fail };
  }

  #change(change) {
    change();
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    while (true) {
      while (this.#waiting.length) yield this.#waiting.shift();
      if (this.#over?.error) throw this.#over.error;
      if (this.#over) return;
      await new Promise((wake) => (this.#wake = wake));
    }
  }
}
