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
  const transaction = (await database).transaction(STORE, mode);
  const request = action(transaction.objectStore(STORE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** The talks, the newest first. */
export async function allTalks() {
  return (await run("readonly", (store) => store.getAll())).sort((a, b) => b.changed - a.changed);
}

/** Keep a talk; one that was kept before and is not there any longer was deleted, perhaps in another tab, and stays so. */
export function saveTalk(talk) {
  const isNew = !talk.changed;
  talk.changed = Date.now();
  return run("readwrite", (store) => {
    if (isNew) return store.put(talk);
    const found = store.getKey(talk.id);
    found.onsuccess = () => found.result && store.put(talk);
    return found;
  });
}

export function deleteTalk(id) {
  return run("readwrite", (store) => store.delete(id));
}

export function deleteAllTalks() {
  return run("readwrite", (store) => store.clear());
}

export function newTalk() {
  return { id: crypto.randomUUID(), title: "", changed: 0, messages: [] };
}

/** Whether a talk has every word, in its title or a message. */
export function matches(talk, words) {
  const all = [talk.title, ...talk.messages.map((message) => message.text)].join("\n").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}
