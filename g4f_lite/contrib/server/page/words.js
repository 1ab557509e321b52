// What the page says, in the languages that it speaks.

const ENGLISH = {
  addImage: "Add an image",
  answered: "The answer is complete.",
  assistant: "Assistant",
  closeTalks: "Close the list of chats",
  composer: "Your message",
  copied: "Copied",
  copy: "Copy",
  cut: "The answer reached its limit of tokens.",
  defaultModel: "default",
  delete: "Delete",
  done: "Done",
  edit: "Edit",
  filtered: "The service's filter held the rest of the answer back.",
  forget: "Delete all chats",
  forgetSure: "Delete all chats of this browser?",
  hello: "What would you like to know?",
  image: "Image",
  images: "Images to send",
  kept: "Chats, the key and these settings stay in this browser.",
  key: "Key of this server, if it needs one",
  messages: "Messages",
  model: "Model",
  newTalk: "New chat",
  noTalks: "No chats",
  noText: "The answer has no text.",
  notKept: "This browser keeps nothing of the page: its storage is full, or closed to it.",
  paint: "Make an image from the text",
  prompt: "Ask something",
  regenerate: "Answer again",
  remove: "Remove this image",
  save: "Save",
  search: "Search chats",
  send: "Send",
  settings: "Settings",
  skip: "Go to the text field",
  stop: "Stop",
  stopped: "Stopped.",
  system: "Instructions for the model",
  talks: "Chats",
  thinking: "Thinking",
  tooLong: "Stopped: the answer is too long for this page.",
  waiting: "Waiting for the answer …",
  you: "You",
};

const GERMAN = {
  addImage: "Bild hinzufügen",
  answered: "Die Antwort ist vollständig.",
  assistant: "Assistent",
  closeTalks: "Liste der Chats schließen",
  composer: "Ihre Nachricht",
  copied: "Kopiert",
  copy: "Kopieren",
  cut: "Die Antwort hat ihr Token-Limit erreicht.",
  defaultModel: "Standard",
  delete: "Löschen",
  done: "Erledigt",
  edit: "Bearbeiten",
  filtered: "Der Filter des Dienstes hielt den Rest der Antwort zurück.",
  forget: "Alle Chats löschen",
  forgetSure: "Alle Chats in diesem Browser löschen?",
  hello: "Was möchten Sie wissen?",
  image: "Bild",
  images: "Bilder zum Senden",
  kept: "Chats, Schlüssel und diese Einstellungen bleiben in diesem Browser.",
  key: "Schlüssel dieses Servers, falls er einen braucht",
  messages: "Nachrichten",
  model: "Modell",
  newTalk: "Neuer Chat",
  noTalks: "Keine Chats",
  noText: "Die Antwort hat keinen Text.",
  notKept: "Dieser Browser behält nichts von der Seite: Sein Speicher ist voll oder für sie gesperrt.",
  paint: "Ein Bild aus dem Text erzeugen",
  prompt: "Etwas fragen",
  regenerate: "Neu antworten",
  remove: "Dieses Bild entfernen",
  save: "Speichern",
  search: "Chats durchsuchen",
  send: "Senden",
  settings: "Einstellungen",
  skip: "Zum Textfeld",
  stop: "Anhalten",
  stopped: "Angehalten.",
  system: "Anweisungen für das Modell",
  talks: "Chats",
  thinking: "Gedanken",
  tooLong: "Angehalten: Die Antwort ist zu lang für diese Seite.",
  waiting: "Warten auf die Antwort …",
  you: "Sie",
};

const KNOWN = { en: ENGLISH, de: GERMAN };
const language = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in KNOWN) ?? "en";

export function text(name) {
  return KNOWN[language][name];
}

/** What is noted of an answer, by the reason why it ended. */
export function noteOfEnd(reason, words) {
  const name = { length: "cut", content_filter: "filtered" }[reason];
  return name ? text(name) : words ? "" : text("noText");
}

/** Fill in the words of the page's elements. */
export function translate() {
  document.documentElement.lang = language;
  const set = (attribute, put) => {
    for (const element of document.querySelectorAll(`[data-${attribute}]`)) put(element, text(element.dataset[attribute]));
  };
  set("text", (element, words) => (element.textContent = words));
  set("placeholder", (element, words) => (element.placeholder = words));
  set("title", (element, words) => (element.title = words));
  set("label", (element, words) => {
    element.setAttribute("aria-label", words);
    if (element.tagName === "BUTTON") element.title = words;
  });
}
