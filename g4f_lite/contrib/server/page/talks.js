// The talks, kept in this browser by IndexedDB, because images are too large for localStorage.
//
// Beside the talks are their entries, which have a talk's title and its words, without the images: the list is shown
// again at each key of a search and while an answer comes, and images would be gigabytes of it.

const TALKS = "talks";
const ENTRIES = "entries";

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("g4f_lite.chats", 1);
    request.onupgradeneeded = () => {
      for (const name of [TALKS, ENTRIES]) request.result.createObjectStore(name, { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let database;

async function run(mode, action) {
  database ??= open();
  const transaction = (await database).transaction([TALKS, ENTRIES], mode);
  const request = action(transaction.objectStore(TALKS), transaction.objectStore(ENTRIES));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** The entries of the talks that have every word, in a title or a message; the newest first. */
export async function findEntries(words) {
  const wanted = words.toLowerCase().split(/\s+/);
  const entries = await run("readonly", (_, entries) => entries.getAll());
  return entries
    .filter((entry) => wanted.every((word) => entry.words.includes(word)))
    .sort((a, b) => b.changed - a.changed);
}

/** The talk as it is kept; undefined if it is not there. */
export function findTalk(id) {
  return run("readonly", (talks) => talks.get(id));
}

let saving = Promise.resolve();

/**
 * Keep a talk, after those that are still being kept.
 *
 * One that was deleted in another tab stays deleted; of one that another tab has changed, both are kept.
 */
export function saveTalk(talk) {
  saving = saving.catch(() => {}).then(() => save(talk));
  return saving;
}

async function save(talk) {
  const changed = Date.now();
  const words = [talk.title, ...talk.messages.map((message) => message.text)].join("\n").toLowerCase();
  await run("readwrite", (talks, entries) => {
    const put = () => {
      entries.put({ id: talk.id, title: talk.title, changed, words });
      return talks.put({ ...talk, changed });
    };
    if (!talk.changed) return put();
    const found = talks.get(talk.id);
    found.onsuccess = () => {
      if (!found.result) return;
      if (found.result.changed !== talk.changed) talk.id = newId();
      put();
    };
    return found;
  });
  talk.changed = changed;
}

export function deleteTalk(id) {
  return run("readwrite", (talks, entries) => {
    entries.delete(id);
    return talks.delete(id);
  });
}

export function deleteAllTalks() {
  return run("readwrite", (talks, entries) => {
    entries.clear();
    return talks.clear();
  });
}

/** Names a talk; crypto.randomUUID is only there over TLS or on the server's own machine. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (number) => number.toString(36)).join("-");
}

export function newTalk() {
  return { id: newId(), title: "", changed: 0, messages: [] };
}
