// Answers as a page: streaming Markdown into elements, and nothing that the text could do by itself.
import { Feed } from "./feed.js";
import { shown } from "./signs.js";
import * as smd from "./smd.js";
import { text } from "./words.js";

const LINKS = /^(https?:|mailto:)/i;
const IMAGES = /^data:image\/(png|jpeg|gif|webp);base64,/i;
const MOST = smd.HEADING_6;
const WIDEST = 100; // cells of a row
const DEEPEST = 24; // elements in one another, as the parser knows them; ten thousand end the tab
const LONGEST = 1_000; // characters of a target that is shown
const MOST_ELEMENTS = 10_000; // of an answer, which take a tab some seconds

/** Write Markdown into an element, piece by piece. */
export class Markdown {
  constructor(root) {
    const renderer = smd.default_renderer(root);
    const { add_text, add_token, end_token, set_attr } = renderer;
    const isShared = []; // by its depth, whether a token has no element of its own
    let elements = 0;
    const share = (data, element) => {
      data.index += 1;
      data.nodes[data.index] = element;
      isShared[data.index] = true;
    };
    const node = (data) => data.nodes[data.index];
    renderer.add_token = (data, type) => {
      elements += 1;
      if (data.index >= DEEPEST || elements > MOST_ELEMENTS) {
        share(data, node(data)); // what is deeper, or beyond, is text of the same element
        return;
      }
      if (type === smd.TABLE_CELL && node(data).childElementCount >= WIDEST) {
        share(data, node(data).lastElementChild); // a row of thousands is laid out for seconds
        return;
      }
      // The page has its own first and second level; and what is an image somewhere else is a link to it.
      if (type >= smd.HEADING_1 && type <= MOST) type = Math.min(type + 2, MOST);
      add_token(data, type === smd.IMAGE ? smd.LINK : type);
      isShared[data.index] = false;
      if (type === smd.CODE_BLOCK || type === smd.CODE_FENCE) focusable(node(data).parentElement);
      if (type === smd.TABLE) focusable(node(data));
      if (type === smd.CHECKBOX) node(data).setAttribute("aria-label", text("done"));
    };
    renderer.add_text = (data, words) => add_text(data, shown(words));
    renderer.set_attr = (data, type, given) => {
      const element = node(data);
      const isTarget = type === smd.HREF || type === smd.SRC;
      const value = isTarget ? shown(given).replace(/ "[^"]*"$|^ | $/g, "") : shown(given); // without its title
      if (isShared[data.index]) {
        if (isTarget) element.append(` (${shortened(value)})`);
      } else if (type === smd.SRC && IMAGES.test(value)) {
        element.dataset.image = value;
      } else if (isTarget) {
        if (!LINKS.test(value)) {
          // It is code, as in values[name](argument), or a link that nobody should follow.
          element.prepend(type === smd.SRC ? "![" : "[");
          element.append(`](${shortened(value)})`);
          return;
        }
        element.href = value;
        element.target = "_blank";
        element.rel = "noopener noreferrer";
      } else {
        set_attr(data, type, value);
      }
    };
    renderer.end_token = (data) => {
      if (isShared[data.index]) return end_token(data);
      const element = node(data);
      if (element.dataset.image) element.replaceWith(picture(element.dataset.image, element.textContent));
      else if (element.tagName === "A" && element.href && !element.textContent) element.textContent = element.href;
      end_token(data);
    };
    this.root = root;
    this.feed = new Feed(renderer);
  }

  write(piece) {
    this.feed.write(piece);
  }

  end() {
    this.feed.end();
    for (const block of this.root.querySelectorAll("pre")) {
      const code = block.textContent;
      const copy = button(text("copy"), () => copyText(code, copy));
      copy.className = "copy";
      block.after(copy);
    }
  }
}

function shortened(target) {
  return target.length > LONGEST ? `${target.slice(0, LONGEST)} …` : target;
}

/** An image element. */
export function picture(source, description) {
  const image = document.createElement("img");
  image.src = source;
  image.alt = description || text("image");
  return image;
}

/** A remark on an answer, such as why it ended. */
export function note(words, failed) {
  const made = document.createElement("p");
  made.className = failed ? "note failed" : "note";
  made.textContent = words;
  return made;
}

/** Add what the model thought before an answer, folded up, and return it. */
export function thoughts(body) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = text("thinking");
  details.append(summary, document.createElement("div"));
  body.before(details);
  return details;
}

export function button(label, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.addEventListener("click", action);
  return made;
}

/** Copy a text, and say so on the button that was pressed. */
export async function copyText(value, pressed) {
  if (navigator.clipboard) await navigator.clipboard.writeText(value);
  else copyByField(value);
  const before = pressed.textContent;
  pressed.textContent = text("copied");
  setTimeout(() => (pressed.textContent = before), 1500);
}

/** Copy a text where the page came neither over TLS nor from this machine, so that it has no clipboard. */
function copyByField(value) {
  const field = document.createElement("textarea");
  field.value = value;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function focusable(element) {
  element.tabIndex = 0; // what scrolls must be reachable by the keyboard
}
