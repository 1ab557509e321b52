// The server that this page came from: OpenAI's API.

/** An error that the server reports. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(path, key, options = {}) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (options.body) headers["Content-Type"] = "application/json";
  const response = await fetch(`v1/${path}`, { ...options, headers });
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new ApiError(response.status, body.error?.message || `${response.status} ${response.statusText}`);
  }
  return response;
}

export async function listModels(key) {
  return (await (await call("models", key)).json()).data;
}

/** Yield the deltas of an answer as they come; stop with the signal. */
export async function* chat(request, key, signal) {
  const body = JSON.stringify({ ...request, stream: true });
  const response = await call("chat/completions", key, { method: "POST", body, signal });
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ApiError(response.status, chunk.error.message);
    const choice = chunk.choices[0];
    if (choice) yield { ...choice.delta, finish: choice.finish_reason, model: chunk.model };
  }
  throw new ApiError(response.status, "the answer was cut");
}

export async function generateImage(prompt, model, key, signal) {
  const body = JSON.stringify({ prompt, model, response_format: "b64_json" });
  const response = await call("images/generations", key, { method: "POST", body, signal });
  return (await response.json()).data.map((image) => `data:${typeOf(image.b64_json)};base64,${image.b64_json}`);
}

/** Yield the data of server-sent events, however the bytes are cut. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice(6).trimEnd();
  }
}

function typeOf(base64) {
  const starts = { iVBOR: "png", "/9j/": "jpeg", R0lGO: "gif", UklGR: "webp" };
  const found = Object.keys(starts).find((start) => base64.startsWith(start));
  return `image/${starts[found] || "png"}`;
}
