// Where the messages are scrolled to.

let isDue = false; // in this frame

export function toEnd(log) {
  log.scrollTop = log.scrollHeight;
}

/** Follow what is about to be written, if its reader is near the end: once in a frame, as each look lays out the page. */
export function follow(log) {
  if (isDue) return;
  isDue = true;
  const isNear = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  requestAnimationFrame(() => {
    isDue = false;
    if (isNear) toEnd(log);
  });
}
