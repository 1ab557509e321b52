// The talks, kept in this browser: an object store of IndexedDB, because images are too large for localStorage.

const STORE = "talks";

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("g4f_lite", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let database;

async function run(mode, action) {
  database ??= open();
  const store = (await database).transaction(STORE, mode).objectStore(STORE);
  return new Promise((resolve, reject) => {
    const request = action(store);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** The talks, the newest first. */
export async function allTalks() {
  return (await run("readonly", (store) => store.getAll())).sort((a, b) => b.changed - a.changed);
}

export function saveTalk(talk) {
  talk.changed = Date.now();
  return run("readwrite", (store) => store.put(talk));
}

export function deleteTalk(id) {
  return run("readwrite", (store) => store.delete(id));
}

export function newTalk() {
  return { id: crypto.randomUUID(), title: "", changed: 0, messages: [] };
}

/** Whether a talk has every word, in its title or a message. */
export function matches(talk, words) {
  const all = [talk.title, ...talk.messages.map((message) => message.text)].join("\n").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}
