// The signs of Markdown that mean something.  The parser takes each star, underscore and bracket for the beginning of
// something, and drops those that nothing ends, as in max_tokens, f(x)[0] and **kwargs.  Here these become characters
// that mean nothing to it, until `shown` makes them signs again.  A sign is hidden and never dropped, so that
// nothing is lost where it was taken for something else; only the quotes around code are written as the parser knows
// them, and the marks of a quotation that has code are left out.  What is undecided waits, at most for its line.

const LONGEST = 500; // characters in which emphasis, code or a formula must end
const LONGEST_LINK = 1_000;
const LONGEST_LEAD = 100;
const SIGNS = "*_~[]`$()<\\>#+-\t";
const IN_TEXT = /[*_~[\]`$()<\\]/g;
const MARKS = /[>#+-]/g; // of blocks
const TABS = /\t/g;
const FIRST = 0xfdd0; // of the characters in their place, which Unicode leaves to programs
const PLAIN = /^[^*_~[\]`$!\\<h\n]+/;
const URL_BEGINS = /^https?:\/\//;
const URL = /^[^\s*<>"'`)\]]+/;
const LEAD = /^[\s>]*(?:(?:[-+*]|\d{1,9}[.)])\s+[\s>]*)*$/; // what may stand before the text of a block
const ITEM = /^[\s>]*(?:[-+*]|\d{1,9}[.)])\s/;
const FENCE = "```"; // the only one that the parser knows well
const RULE = /^(?:(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const TEXT_OF_LINK = String.raw`^!?\[(?:[^[\]\\]|\\.|\[[^[\]]*\])*\]`;
const WHOLE_TEXT = new RegExp(TEXT_OF_LINK);
const LINK = new RegExp(String.raw`${TEXT_OF_LINK}\( ?([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?: "[^"]*")?) ?\)`);
const IMAGE = new RegExp(String.raw`${TEXT_OF_LINK}(?=\(data:image/)`);
const MAY_BE_LINK = new RegExp(String.raw`${TEXT_OF_LINK}(?:\(|$)`);
const CODE = /^(`+)(?!`)[^]*?[^`]\1(?!`)/;
const FORMULA = /^(?:\$\$[^$]+\$\$|\$(?![\s$])(?:[^$]*[^\s$\\])?\$(?!\d))/;
const RUNS = /\\.|(`+)(?!`)[^]*?[^`]\1(?!`)|([*_~])\2*/g;
const BLANK = /\s/;
const PUNCTUATION = /[\p{P}\p{S}]/u;

/** Make the signs of a text again of the characters in their place. */
export function shown(text) {
  return text.replace(/[\ufdd0-\ufddf]/g, (character) => SIGNS[character.charCodeAt(0) - FIRST]);
}

function hidden(text, signs = IN_TEXT) {
  return text.replace(signs, (sign) => String.fromCharCode(FIRST + SIGNS.indexOf(sign)));
}

export class Signs {
  #held = ""; // what is not decided
  #lead = ""; // the beginning of the line
  #before = "\n"; // the last character
  #at = 0; // how many came before
  #ends = []; // where emphasis that has begun ends, the outermost first
  #free = {}; // for each run of a sign, up to where nothing ends it, so that it is not looked for again
  #search = null; // for the end of a run, as far as the text has come
  #target = null; // of the link that has begun: where it stands, and what is written for it
  #isURL = false;
  #isInList = false;
  #fence = null; // of a block of code: its quotes, and whether it is in a list, or in a quotation

  /** Take a piece of a text, and return what is decided. */
  write(piece, isLast = false) {
    this.#held += piece.replaceAll("\r", "").replace(/[\ufdd0-\ufddf]/g, "\ufffd");
    let decided = "";
    while (this.#held) {
      const step = this.#next(isLast);
      if (!step) break;
      const [length, text] = step;
      decided += text;
      this.#pass(this.#held.slice(0, length));
    }
    return decided;
  }

  /** Return what is left, as there is no more. */
  end() {
    return this.write("", true);
  }

  #pass(taken) {
    if (!taken) return;
    this.#held = this.#held.slice(taken.length);
    this.#at += taken.length;
    this.#before = taken.at(-1);
    if (this.#before === "\n") {
      if (/^\S/.test(this.#lead)) this.#isInList = ITEM.test(this.#lead);
      this.#lead = "";
    } else if (this.#lead.length < LONGEST_LEAD) this.#lead += taken;
  }

  /** Return how many characters are decided, and what is written for them; null if none are. */
  #next(isLast) {
    const start = this.#held.slice(0, LONGEST_LINK + 1);
    const [rest] = start.split("\n", 1);
    const isWhole = isLast || rest.length < start.length; // the line
    if (!rest) {
      this.#ends = [];
      this.#free = {};
      this.#target = null;
      this.#isURL = false;
      return [1, "\n"];
    }
    if (this.#target?.from === this.#at) {
      const { length, text } = this.#target;
      this.#target = null;
      return [length, text];
    }
    if (this.#fence) return this.#code(rest, isWhole);
    if (this.#isURL) return this.#url(rest, isLast);
    if (!this.#lead && !this.#isInList && /^(?: {4}|\t)/.test(rest)) {
      const [code] = /^[ \t]*[>#+-]*/.exec(rest); // which begin nothing there
      if (code.length === rest.length && rest.length <= LONGEST_LEAD && !isWhole) return null;
      return [code.length, hidden(code, MARKS)];
    }
    if (!this.#lead && /^ {1,3}$/.test(rest) && !isWhole) return null;
    const plain = PLAIN.exec(rest);
    if (plain) return [plain[0].length, plain[0]];
    const isDecided = isWhole || rest.length > LONGEST;
    const first = LEAD.test(this.#lead) && this.#beginning(rest, isWhole);
    if (first || first === null) return first;
    switch (rest[0]) {
      case "h":
        if (URL_BEGINS.test(rest)) return this.#url(rest, isLast);
        return !isWhole && ("https://".startsWith(rest) || rest === "http:/" || rest === "http:") ? null : [1, "h"];
      case "\\":
        if (rest.length < 2 && !isWhole) return null;
        if (!PUNCTUATION.test(rest[1] ?? " ")) return [1, hidden("\\")];
        if (rest[1] === "(" && !rest.includes("\\)")) return isDecided ? [2, hidden("(")] : null;
        return [2, rest.slice(0, 2)];
      case "<":
        if (/^<(?:b(?:r\s{0,9}\/?)?)?$/i.test(rest) && !isWhole) return null;
        return [1, /^<br\s{0,9}\/?>/i.test(rest) ? "<" : hidden("<")];
      case "`":
        return this.#span(CODE, rest, isDecided);
      case "$":
        return this.#span(FORMULA, rest, isDecided);
      case "]":
        return [1, this.#target ? hidden("]") : "]"];
      case "!":
        if (rest.length < 2 && !isWhole) return null;
        return rest[1] === "[" ? this.#link(rest, isWhole) : [1, "!"];
      case "[":
        return this.#link(rest, isWhole);
      default:
        return this.#emphasis(rest, isDecided);
    }
  }

  /** Return what a sign at the beginning of a block is: null if undecided, false if no more than in the text. */
  #beginning(rest, isWhole) {
    if (rest.length <= LONGEST_LEAD && /^[*_ \t]+$/.test(rest)) {
      if (!isWhole) return null;
      if (RULE.test(rest)) return [rest.length, rest];
    }
    if (/^\*[ \t]/.test(rest)) return [2, rest.slice(0, 2)];
    if (/^`{1,2}$/.test(rest) && !isWhole) return null;
    const [quotes] = /^(?:`{3,}|~{3,})/.exec(rest) ?? [];
    if (quotes) {
      if (!isWhole && rest.length <= LONGEST_LEAD) return null;
      if (!rest.slice(quotes.length).includes("`")) {
        const isQuoted = this.#lead.includes(">");
        this.#fence = { quotes, isInside: this.#lead !== "" && !isQuoted, isQuoted };
        // The parser knows no block of code within a quotation, nor on the line of an item's mark.
        const margin = isQuoted ? "\n" : this.#lead.trim() ? `\n${" ".repeat(this.#lead.length)}` : "";
        return [rest.length, margin + FENCE + hidden(rest.slice(quotes.length))];
      }
      const [span] = CODE.exec(rest) ?? []; // code within a line, for which the parser takes one quote here
      if (span) return [span.length, `\`${hidden(span.slice(quotes.length, -quotes.length))}\``];
      return [quotes.length, hidden(quotes)];
    }
    if (/^\$\$?$/.test(rest) && !isWhole) return null;
    if (/^\$\$\s*$/.test(rest)) return [rest.length, rest];
    if (/^\[(?:[ x]?|[ x]\])$/.test(rest) && !isWhole) return null;
    return /^\[[ x]\] /.test(rest) && /[-+*.)]\s+$/.test(this.#lead) && [3, rest.slice(0, 3)];
  }

  #url(rest, isLast) {
    const [url] = URL.exec(rest) ?? [""];
    this.#isURL = url.length === rest.length; // more of it may come
    return url ? [url.length, hidden(url)] : this.#next(isLast);
  }

  /** Return a line of a block of code, or a part of it, as text; or the line that ends it. */
  #code(rest, isWhole) {
    const { quotes, isInside, isQuoted } = this.#fence;
    if (isQuoted && !this.#lead) {
      if (/^ {0,3}>?$/.test(rest) && !isWhole) return null;
      const [mark] = /^ {0,3}> ?/.exec(rest) ?? [];
      if (mark) return [mark.length, ""];
      this.#fence = null; // with the quotation
      return [0, `${FENCE}\n`];
    }
    const isFirst = !this.#lead || (isQuoted && /^ {0,3}> ?$/.test(this.#lead)); // of its line
    if (isFirst && rest.length <= LONGEST_LEAD && /^ *(?:`*|~*)\s*$/.test(rest)) {
      if (!isWhole) return null;
      if (rest.trim() === quotes && (isInside || /^ {0,3}\S/.test(rest))) {
        this.#fence = null;
        return [rest.length, rest.replace(quotes, FENCE)];
      }
    }
    const text = hidden(rest);
    // The parser has four blanks for a tab, which may be the margin of a list.
    return [rest.length, isInside ? text : hidden(text, TABS)];
  }

  /** Return a span of code or a formula with text in it; without an end its sign is text. */
  #span(pattern, rest, isDecided) {
    const [run] = /^(?:`+|\$+)/.exec(rest);
    const [span] = pattern.exec(rest) ?? [];
    if (span && (isDecided || span.length < rest.length)) {
      const sign = span[0] === "$" ? "$" : run; // the parser has no $$ within a line
      return [span.length, sign + hidden(span.slice(sign.length, -sign.length)) + sign];
    }
    if (!isDecided) return null;
    return [run.length, hidden(run)];
  }

  #link(rest, isWhole) {
    const length = rest[0] === "!" ? 2 : 1;
    const most = Math.min(...this.#ends, Infinity) - this.#at;
    const link = this.#target ? null : LINK.exec(rest) ?? IMAGE.exec(rest);
    if (link && link[0].length <= most) {
      const [text] = WHOLE_TEXT.exec(rest);
      const from = this.#at + text.length - 1;
      const tail = link[0].slice(text.length - 1); // of an image the bytes follow
      this.#target = { from, length: tail.length, text: tail.length > 1 ? `](${hidden(tail.slice(2, -1))})` : tail };
      return [length, rest.slice(0, length)];
    }
    const isDecided = isWhole || rest.length > LONGEST_LINK;
    const isOpen = !WHOLE_TEXT.test(rest) && rest.length <= LONGEST;
    if (!isDecided && !this.#target && (isOpen || MAY_BE_LINK.test(rest))) return null;
    return [length, rest.slice(0, length - 1) + hidden("[")];
  }

  /** Return a run of stars, underscores or tildes as it is if it begins or ends emphasis. */
  #emphasis(rest, isDecided) {
    const [run] = /^([*_~])\1*/.exec(rest);
    if (this.#ends.at(-1) === this.#at) {
      this.#ends.pop();
      return [run.length, run];
    }
    if (run.length === rest.length && !isDecided) return null;
    const after = rest[run.length] ?? "\n";
    const mayOpen = opens(run[0], this.#before, after) && (run[0] === "~" ? run.length === 2 : run.length <= 3);
    if (!mayOpen) return [run.length, hidden(run)];
    const most = Math.min(...this.#ends, this.#target?.from ?? Infinity) - this.#at;
    const last = Math.min(most, LONGEST, rest.length);
    const known = this.#search?.from === this.#at ? this.#search : { at: this.#free[run] ?? 0, begun: 0, isFree: true };
    let { begun, isFree } = known; // further runs that the next one ends; whether none could end anything
    let at = Math.max(run.length, known.at - this.#at);
    RUNS.lastIndex = at;
    for (let found; (found = RUNS.exec(rest)) && found.index < last; ) {
      const behind = found.index + found[0].length;
      if (behind === rest.length && !isDecided) break;
      at = behind;
      if (found[0] !== run) continue;
      const between = [rest[found.index - 1], rest[behind] ?? "\n"];
      if (!closes(run[0], ...between)) {
        begun += opens(run[0], ...between);
      } else if (begun) {
        begun -= 1;
        isFree = false;
      } else {
        this.#ends.push(this.#at + found.index);
        return [run.length, run];
      }
    }
    if (!isDecided && most >= rest.length) {
      this.#search = { from: this.#at, at: this.#at + at, begun, isFree };
      return null;
    }
    if (isFree) this.#free[run] = this.#at + last;
    return [run.length, hidden(run)];
  }
}

// As in CommonMark: whether a run of a sign between two characters may begin emphasis, and whether it may end it.

function opens(sign, before, after) {
  const isLeft = flanks(before, after);
  return isLeft && (sign !== "_" || !flanks(after, before) || PUNCTUATION.test(before));
}

function closes(sign, before, after) {
  return opens(sign, after, before);
}

function flanks(outer, inner) {
  return !BLANK.test(inner) && (!PUNCTUATION.test(inner) || BLANK.test(outer) || PUNCTUATION.test(outer));
}
