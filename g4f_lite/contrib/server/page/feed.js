// The way into the Markdown parser, which reads all that it has not decided about again with each character: text of
// this kind must not grow.  An image that is written into an answer has a million of them in its target.
import { Signs } from "./signs.js";
import * as smd from "./smd.js";

const PARTS = /[^\n]{1,1000}|\n/gu; // of whole characters
const MOST = 1000; // that may be undecided; what is longer is an image, a link, or nothing that anybody means

/** A parser that takes time in proportion to the text. */
export class Feed {
  constructor(renderer) {
    this.parser = smd.parser(renderer);
    this.signs = new Signs();
    this.target = []; // of the image or link that has begun, once it is long
    this.length = 0; // of the text, without such targets
  }

  write(piece) {
    this.#writeAll(this.signs.write(piece));
  }

  end() {
    this.#writeAll(this.signs.end());
    this.#endLine();
    if (this.parser.pending || this.parser.text) smd.parser_write(this.parser, "\n");
  }

  #writeAll(text) {
    for (const part of text.match(PARTS) ?? []) this.#write(part);
  }

  #write(part) {
    const { parser } = this;
    if (part === "\n") this.#endLine();
    if (this.#isInLongTarget()) {
      const end = part.indexOf(")"); // as the parser finds it
      this.target.push(end < 0 ? part : part.slice(0, end));
      if (end < 0) return;
      parser.pending += this.target.join("");
      this.target = [];
      part = part.slice(end);
    }
    this.length += part.length;
    smd.parser_write(parser, part);
    parser.indent_len = Math.min(parser.indent_len, MOST);
    // The end of the line decides about all others, but of an address in the text, which is not read again.
    if (this.#isLong() && !this.#isInLongTarget() && parser.token !== smd.RAW_URL) smd.parser_write(parser, "\n");
  }

  /** Make text of a target that does not end on its line; the parser would not show it. */
  #endLine() {
    const { parser } = this;
    if (!this.#isInTarget()) return;
    parser.text += parser.pending + this.target.join("");
    this.target = [];
    parser.pending = "]"; // after which nothing but a target goes on with the link
  }

  #isLong() {
    return this.parser.pending.length > MOST;
  }

  #isInTarget() {
    const { token, pending } = this.parser;
    return (token === smd.LINK || token === smd.IMAGE) && pending.startsWith("](");
  }

  #isInLongTarget() {
    return this.#isLong() && this.#isInTarget();
  }
}
