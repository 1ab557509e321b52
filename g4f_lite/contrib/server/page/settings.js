// What the user has set, kept in this browser.

const NAME = "g4f_lite";
export const settings = { key: "", system: "", model: "", ...kept() };

function kept() {
  try {
    return JSON.parse(localStorage.getItem(NAME));
  } catch {
    return {}; // the browser lets no page keep anything
  }
}

/** Change settings and keep them, beside what other tabs have kept meanwhile; false if the browser does not let the page. */
export function keepSettings(changed) {
  Object.assign(settings, kept(), changed);
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
    return true;
  } catch {
    return false;
  }
}
