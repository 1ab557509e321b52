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

/** The talk as it is kept; undefined if it is not there. */
export function findTalk(id) {
  return run("readonly", (store) => store.get(id));
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
  await run("readwrite", (store) => {
    if (!talk.changed) return store.put({ ...talk, changed });
    const found = store.get(talk.id);
    found.onsuccess = () => {
      if (!found.result) return;
      if (found.result.changed !== talk.changed) talk.id = newId();
      store.put({ ...talk, changed });
    };
    return found;
  });
  talk.changed = changed;
}

export function deleteTalk(id) {
  return run("readwrite", (store) => store.delete(id));
}

export function deleteAllTalks() {
  return run("readwrite", (store) => store.clear());
}

/** Names a talk; crypto.randomUUID is only there over TLS or on the server's own machine. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (number) => number.toString(36)).join("-");
}

export function newTalk() {
  return { id: newId(), title: "", changed: 0, messages: [] };
}

/** Whether a talk has every word, in its title or a message. */
export function matches(talk, words) {
  const all = [talk.title, ...talk.messages.map((message) => message.text)].join("\n").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}
