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

/** Keep the settings; false if the browser has no room or does not let the page. */
export function keepSettings() {
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
    return true;
  } catch {
    return false;
  }
}
