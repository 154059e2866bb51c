// Ask the hall for something that must have one effect, over a net that loses answers.

const TRIES_MAX = 3;
const ANSWER_MS_MAX = 4000;
const PAUSE_MS = 700;

/**
 * Post a command, again with the same id when its answer was lost.
 *
 * @param {string} path of the JSON door
 * @param {{command_id: string}} words
 * @returns {Promise<{ok: boolean, answer: object} | null>} null when nobody answered;
 *   whether it was carried out is then unknown, and the same id can be asked again
 */
export async function ask(path, words) {
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    try {
      const response = await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(words),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      return { ok: response.ok, answer: await response.json() };
    } catch {
      if (tries === TRIES_MAX) break;
      await new Promise((go) => setTimeout(go, PAUSE_MS * tries));
    }
  }
  return null;
}

/** A fresh random UUID; browsers keep crypto.randomUUID from pages without TLS. */
export function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}
