// The kiosk: one touch takes a ticket and shows all that its visitor needs.

import { ask, freshId } from "./ask.js";
import { Board } from "./board.js";
import { follow } from "./follow.js";
import { ENGLISH, named, say } from "./words.js";

const HOME_AFTER_S = 20;
const SECOND_TOUCH_MS = 800; // A hand that touches twice must not dismiss its ticket.
const WINDOWS_SHOWN_MAX = 8;

const part = (id) => document.getElementById(id);
const copy = (id) => part(id).content.firstElementChild.cloneNode(true);
const words = document.body.dataset;
const board = new Board(0);
const buttons = new Map(); // Item → its button.
// Ids of takes that nobody answered. The next touch of the item asks with the same id,
// so a ticket that was taken after all goes to a visitor and not to a ghost.
const unanswered = new Map();
let busy = false;
let lost = true; // Until the hall is heard for the first time.
let countdown = 0;

follow("kiosk", show, (nowLost) => {
  lost = nowLost;
  part("lost").hidden = !lost;
  settle();
});
part("done").addEventListener("click", goHome);
part("back").addEventListener("click", goHome);

function show(frame) {
  board.take(frame);
  const items = board.lines.map((line) => line.item);
  if (items.join() !== [...buttons.keys()].join()) makeButtons();
  for (const line of board.lines) label(buttons.get(line.item), line);
  part("closed").hidden = !board.closed;
  part("choose").hidden = board.closed;
  settle();
}

function makeButtons() {
  buttons.clear();
  const made = board.lines.map(({ item }) => {
    const row = copy("item");
    const button = row.querySelector("button");
    button.dataset.item = item;
    button.addEventListener("click", () => take(item));
    buttons.set(item, button);
    return row;
  });
  part("items").replaceChildren(...made);
}

function label(button, line) {
  const set = (name, text) => (button.querySelector(`.${name}`).textContent = text);
  set("item", named(line));
  set("other", ENGLISH ? line.name : line.name_en);
  button.querySelector(".other").lang = ENGLISH ? "zh-CN" : "en";
  set("count", say(words.sayWaiting, line));
}

// Nothing can be touched while a touch is being answered, or without the hall.
function settle() {
  part("home").inert = busy;
  part("items").inert = lost || board.closed;
}

async function take(item) {
  if (busy || lost) return;
  busy = true;
  part("taking").hidden = false;
  settle();
  const id = unanswered.get(item) ?? freshId();
  unanswered.set(item, id);
  const heard = await ask("/api/tickets", { item, channel: "kiosk", command_id: id });
  part("taking").hidden = true;
  if (heard) unanswered.delete(item);
  if (heard?.ok) showTicket(heard.answer);
  else showRefusal(heard?.answer.message[ENGLISH ? "en" : "zh"] ?? words.sayUnanswered);
}

function showTicket({ ticket, item, ahead, windows, token }) {
  const line = board.lines.find((known) => known.item === item);
  const shown = windows.slice(0, WINDOWS_SHOWN_MAX).join(words.sayAnd);
  const more = windows.length > WINDOWS_SHOWN_MAX ? words.sayMore : "";
  part("your").textContent = say(words.sayYour, { item: line ? named(line) : "" });
  part("ticket").textContent = ticket;
  part("ticket").classList.toggle("long", ticket.length > 5);
  part("ahead").textContent = ahead ? say(words.sayAhead, { ahead }) : words.sayNext;
  part("windows").textContent = say(words.sayWindows, { windows: shown + more });
  part("qr").src = `/kiosk/qr/${ticket}.svg?token=${token}`;
  open("taken", "done");
}

function showRefusal(sentence) {
  part("why").textContent = sentence;
  open("refused", "back");
}

function open(dialog, button) {
  part(dialog).hidden = false;
  part(dialog).openedAt = performance.now();
  part(button).focus();
  let seconds = HOME_AFTER_S;
  const tick = () => {
    part("done").textContent = say(words.sayHome, { seconds });
    if (seconds-- <= 0) goHome();
  };
  countdown = setInterval(tick, 1000);
  tick();
}

function goHome(event) {
  const dialog = event?.target.closest("section");
  if (dialog && performance.now() - dialog.openedAt < SECOND_TOUCH_MS) return;
  clearInterval(countdown);
  part("taken").hidden = part("refused").hidden = true;
  part("qr").removeAttribute("src");
  busy = false;
  settle();
}
