// The page: a list of talks, the messages of one, and a field to write in.
import { ApiError, chat, generateImage, listModels } from "./api.js";
import { Markdown, button, copyText, note, picture, thoughts } from "./render.js";
import { follow, toEnd } from "./scrolling.js";
import { keepSettings, settings } from "./settings.js";
import { deleteAllTalks, deleteTalk, findEntries, findTalk, newTalk, saveTalk } from "./talks.js";
import { noteOfEnd, text, translate } from "./words.js";

const $ = (id) => document.getElementById(id);
const SAVE_EVERY = 2000; // milliseconds, while an answer comes: what a tab that is closed meanwhile loses at most

const MOST_TEXT = 2_000_000; // characters of an answer, beyond which a tab answers to nobody for seconds
const MOST_MODELS = 10_000;

let talk = newTalk();
let running = null; // aborts the answer in progress
let waiting = []; // images to send
let typing = 0; // the timer of a search, which waits for the next key

// --- The messages -------------------------------------------------------------------------------

function show() {
  $("log").replaceChildren(...talk.messages.map((message, index) => element(message, index)));
  if (!talk.messages.length) {
    const hello = document.createElement("p");
    hello.className = "hello";
    hello.textContent = text("hello");
    $("log").append(hello);
  }
  $("title").textContent = document.title = talk.title || "g4f_lite";
  toEnd($("log"));
}

/** The element of a message: who, what, and what can be done with it. */
function element(message, index) {
  const article = document.createElement("article");
  article.className = message.role;
  const who = document.createElement("h2");
  who.textContent = message.role === "user" ? text("you") : message.model || text("assistant");
  const body = document.createElement("div");
  body.className = "body";
  article.append(who, body);
  if (message.thinking) thoughts(body).lastChild.append(message.thinking);
  for (const image of message.images || []) body.append(picture(image, message.role === "user" ? "" : talk.title));
  if (message.role === "user") {
    body.append(message.text);
  } else {
    const markdown = new Markdown(body);
    markdown.write(message.text);
    markdown.end();
  }
  if (message.note) article.append(note(message.note, message.failed));
  article.append(actions(message, index));
  return article;
}

function actions(message, index) {
  const row = document.createElement("div");
  row.className = "actions";
  if (message.text) {
    const copy = button(text("copy"), () => copyText(message.text, copy));
    row.append(copy);
  }
  if (message.role === "user") row.append(button(text("edit"), () => edit(index)));
  else if (index === talk.messages.length - 1) row.append(button(text("regenerate"), () => regenerate(index)));
  return row;
}

// --- Asking -------------------------------------------------------------------------------------

function send(words, images, paints) {
  talk.title ||= words.trim().split("\n")[0].replace(/^[#>*\s-]+/, "").slice(0, 60) || text("image");
  talk.messages.push({ role: "user", text: words, images, paints });
  answer();
}

function regenerate(index) {
  if (running) return;
  talk.messages.length = index;
  answer();
}

/** Take a message back into the text field; what came after it is asked anew. */
function edit(index) {
  if (running) return;
  const message = talk.messages[index];
  talk.messages.length = index;
  waiting = message.images || [];
  paint(Boolean(message.paints));
  showWaiting();
  show();
  $("prompt").value = message.text;
  grow();
  $("prompt").focus();
}

async function answer() {
  const mine = talk;
  const asked = mine.messages.at(-1);
  const message = { role: "assistant", text: "", thinking: "", images: [], model: "" };
  mine.messages.push(message);
  show();
  running = new AbortController();
  busy(true);
  message.note = text("stopped"); // what is found later, if the tab is closed before the end
  keepTalk(mine);
  try {
    let note = "";
    if (asked.paints) message.images = await generateImage(asked.text, settings.model || undefined, settings.key, running.signal);
    else note = await stream(mine, message);
    message.note = note;
    $("status").textContent = text("answered");
  } catch (error) {
    fail(message, error);
  } finally {
    running = null;
    busy(false);
    if (mine === talk) show();
    keepTalk(mine);
  }
}

/** Ask for an answer, write it on the page as it comes, and return what is to be noted of it. */
async function stream(mine, message) {
  let reason = "";
  let savedAt = Date.now();
  const article = $("log").lastElementChild;
  const body = article.querySelector(".body");
  const markdown = new Markdown(body);
  const request = { messages: history(mine.messages.slice(0, -1)), ...(settings.model && { model: settings.model }) };
  for await (const delta of chat(request, settings.key, running.signal)) {
    follow($("log"));
    const thought = delta.reasoning_content ?? delta.reasoning;
    if (thought) {
      message.thinking += thought;
      const details = article.querySelector("details") ?? thoughts(body);
      details.lastChild.append(thought);
    }
    const piece = delta.content ?? delta.refusal;
    if (piece) {
      message.text += piece;
      markdown.write(piece);
    }
    reason = delta.finish ?? reason;
    if (message.thinking.length + markdown.feed.length > MOST_TEXT || message.text.length > 50 * MOST_TEXT) {
      running.abort();
      return text("tooLong");
    }
    message.model = delta.model || message.model;
    if (Date.now() - savedAt > SAVE_EVERY) {
      savedAt = Date.now();
      keepTalk(mine);
    }
  }
  return noteOfEnd(reason, message.text);
}

function fail(message, error) {
  if (error.name === "AbortError") {
    message.note = $("status").textContent = text("stopped");
    return;
  }
  message.note = $("status").textContent = error.message;
  message.failed = true;
  if (error instanceof ApiError && error.status === 401) openSettings();
}

/** The messages as the API takes them. */
function history(messages) {
  const sent = settings.system ? [{ role: "system", content: settings.system }] : [];
  for (const { role, text: words, images } of messages) {
    if (role === "assistant" && !words) continue; // it failed, or was stopped before it began
    const parts = role === "user" && images?.length;
    const links = parts ? images.map((url) => ({ type: "image_url", image_url: { url } })) : [];
    sent.push({ role, content: parts ? [{ type: "text", text: words }, ...links] : words });
  }
  return sent;
}

function busy(is) {
  $("send").classList.toggle("busy", is);
  $("send").title = text(is ? "stop" : "send");
  $("send").setAttribute("aria-label", text(is ? "stop" : "send"));
  if (is) $("status").textContent = text("waiting");
}

// --- The text field -----------------------------------------------------------------------------

function grow() {
  const field = $("prompt");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, innerHeight / 3)}px`;
}

function showWaiting() {
  $("images").replaceChildren(
    ...waiting.map((image, index) => {
      const item = document.createElement("li");
      const remove = button("×", () => {
        waiting = waiting.filter((_, other) => other !== index);
        showWaiting();
      });
      remove.setAttribute("aria-label", text("remove"));
      item.append(picture(image, ""), remove);
      return item;
    }),
  );
}

async function addFiles(files) {
  for (const file of files) {
    if (!file.type.startsWith("image/")) continue;
    waiting.push(await new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(file);
    }));
  }
  showWaiting();
}

function paint(is) {
  $("paint").setAttribute("aria-pressed", String(is));
}

// --- The list of talks --------------------------------------------------------------------------

/** Keep a talk in the browser, or say that it has no room or does not let the page. */
async function keepTalk(mine) {
  try {
    await saveTalk(mine);
    listTalks();
  } catch {
    tellNotKept();
  }
}

function tellNotKept() {
  $("status").textContent = text("notKept");
}

/** Show what another tab has made of the list and of the talk. */
async function refresh() {
  listTalks();
  const mine = talk;
  if (running || !mine.changed) return;
  const kept = await findTalk(mine.id);
  if (running || mine !== talk || kept?.changed === mine.changed) return;
  if (kept) {
    talk = kept;
    show();
  } else {
    mine.changed = 0; // it is deleted; with a further question it is a new one
  }
}

async function listTalks() {
  const entries = await findEntries($("search").value.trim());
  $("talks").replaceChildren(
    ...entries.map((each) => {
      const item = document.createElement("li");
      const open = button(each.title, async () => change(each.id === talk.id ? talk : await findTalk(each.id)));
      open.className = "talk";
      if (each.id === talk.id) open.setAttribute("aria-current", "true");
      const remove = button("×", async () => {
        await deleteTalk(each.id);
        if (each.id === talk.id) change(newTalk());
        listTalks();
      });
      remove.setAttribute("aria-label", `${text("delete")}: ${each.title}`);
      item.append(open, remove);
      return item;
    }),
  );
  if (!entries.length) {
    const item = document.createElement("li");
    item.textContent = text("noTalks");
    item.className = "note";
    $("talks").append(item);
  }
}

/** Open another talk; none, if it was deleted in another tab. */
function change(other) {
  if (other && other.id !== talk.id) {
    running?.abort();
    talk = other;
    show();
  }
  drawer(false);
  listTalks();
  $("prompt").focus();
}

function drawer(is) {
  document.body.classList.toggle("with-drawer", is);
  $("veil").hidden = !is;
  $("open-drawer").setAttribute("aria-expanded", String(is));
  if (is) $("close-drawer").focus();
}

// --- Settings and models ------------------------------------------------------------------------

function openSettings() {
  $("key").value = settings.key;
  $("system").value = settings.system;
  if (!$("settings").open) $("settings").showModal();
}

async function showModels() {
  try {
    const models = await listModels(settings.key);
    const groups = new Map();
    for (const { id, owned_by: owner } of models.slice(0, MOST_MODELS)) {
      if (!groups.has(owner)) groups.set(owner, []);
      groups.get(owner).push(id);
    }
    $("model").replaceChildren(new Option(text("defaultModel"), ""));
    for (const [owner, names] of groups) {
      const group = document.createElement("optgroup");
      group.label = owner;
      group.append(...names.map((name) => new Option(name, name)));
      $("model").append(group);
    }
    $("model").value = models.some(({ id }) => id === settings.model) ? settings.model : "";
  } catch (error) {
    $("model").replaceChildren(new Option(text("defaultModel"), ""));
    if (error.status === 401) openSettings();
    else $("status").textContent = error.message;
  }
  settings.model = $("model").value;
}

// --- What happens -------------------------------------------------------------------------------

translate();
busy(false);
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) return running.abort();
  const words = $("prompt").value;
  if (!words.trim() && !waiting.length) return;
  send(words, waiting, $("paint").getAttribute("aria-pressed") === "true");
  $("prompt").value = "";
  waiting = [];
  paint(false);
  showWaiting();
  grow();
});
$("prompt").addEventListener("input", grow);
$("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !matchMedia("(pointer: coarse)").matches) {
    event.preventDefault();
    if (!running) $("composer").requestSubmit();
  }
});
$("prompt").addEventListener("paste", (event) => addFiles(event.clipboardData.files));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (document.body.classList.contains("with-drawer")) drawer(false);
  else running?.abort();
});
$("file").addEventListener("change", async () => {
  await addFiles($("file").files);
  $("file").value = "";
});
$("paint").addEventListener("click", () => paint($("paint").getAttribute("aria-pressed") !== "true"));
$("new-talk").addEventListener("click", () => change(newTalk()));
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(listTalks, 100);
});
window.addEventListener("focus", refresh);
$("open-drawer").addEventListener("click", () => drawer(true));
$("close-drawer").addEventListener("click", () => {
  drawer(false);
  $("open-drawer").focus();
});
$("veil").addEventListener("click", () => drawer(false));
$("open-settings").addEventListener("click", openSettings);
$("settings").addEventListener("close", () => {
  if ($("settings").returnValue !== "save") return;
  if (!keepSettings({ key: $("key").value.trim(), system: $("system").value.trim() })) tellNotKept();
  showModels();
});
$("forget").addEventListener("click", async () => {
  if (!confirm(text("forgetSure"))) return;
  await deleteAllTalks();
  $("settings").close();
  change(newTalk());
});
$("model").addEventListener("change", () => {
  if (!keepSettings({ model: $("model").value })) tellNotKept();
});
show();
listTalks();
showModels();
