// The rating page: one touch gives one of five levels.

import { ask, freshId } from "./ask.js";
import { ENGLISH } from "./words.js";

const part = (id) => document.getElementById(id);
const { ticket, token, sayUnanswered } = part("asking").dataset;
const ids = new Map(); // Level → id of its command, kept in case its answer was lost.
let busy = false;

for (const button of part("asking").querySelectorAll("button"))
  button.addEventListener("click", () => rate(button.dataset.level));

async function rate(level) {
  if (busy) return;
  busy = part("asking").inert = true;
  part("told").hidden = true;
  if (!ids.has(level)) ids.set(level, freshId());
  const words = { level, command_id: ids.get(level), channel: token ? "qr" : "tablet" };
  if (token) words.token = token;
  const heard = await ask(`/api/tickets/${ticket}/evaluation`, words);
  if (heard?.ok) return thank();
  const refusal = heard?.answer.message[ENGLISH ? "en" : "zh"];
  part("told").textContent = refusal ?? sayUnanswered;
  part("told").hidden = false;
  busy = part("asking").inert = false;
}

function thank() {
  part("asking").hidden = true;
  part("thanks").hidden = false;
  part("thanks").querySelector("h2").focus();
}
