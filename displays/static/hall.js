// The hall screen: last calls, waiting lines, a flash for each new call.

import { Board } from "./board.js";
import { follow } from "./follow.js";
import { ENGLISH, named, say } from "./words.js";

const FLASH_MS = 6000; // Six times at 1 Hz, far below the 3 Hz that can harm.
const TURN_PAGE_MS = 8000;
const LINES_ON_PAGE = 8; // More would be too small to read from 10 m.

const part = (id) => document.getElementById(id);
const copy = (id) => part(id).content.firstElementChild.cloneNode(true);
const { screen, callsMax, timeZone, sayWindow, sayCall, sayTimes, sayPage } =
  document.body.dataset;
const board = new Board(Number(callsMax));
const rows = new Map(); // Ticket → its row on the page.
let page = 0;

follow(screen, show, (lost) => (part("lost").hidden = !lost));
setInterval(() => showLines(++page), TURN_PAGE_MS);
setInterval(showClock, 1000);
showClock();

function show(frame) {
  if (frame.frame === "snapshot") part("name").textContent = named(frame);
  const announced = board.take(frame);
  showCalls();
  showLines();
  announced.forEach(flash);
  const spoken = announced.map((call) => say(sayCall, call));
  if (spoken.length) part("spoken").textContent = spoken.join(ENGLISH ? "; " : "；");
}

// Rows that stay are not moved within the page, for that would start their flash anew.
function showCalls() {
  const list = part("calls");
  const shown = new Set(board.calls.map((call) => call.ticket));
  for (const [ticket, row] of rows) {
    if (shown.has(ticket)) continue;
    row.remove();
    rows.delete(ticket);
  }
  board.calls.forEach((call, place) => {
    const row = rows.get(call.ticket) ?? copy("call");
    rows.set(call.ticket, row);
    fill(row, call);
    const there = list.children[place] ?? null;
    if (there !== row) list.insertBefore(row, there);
  });
  list.hidden = board.closed; // Nobody is called any more: a sentence instead.
  part("quiet").hidden = board.calls.length > 0 || board.closed;
  part("closed").hidden = !board.closed;
}

function fill(row, call) {
  const set = (name, text) => (row.querySelector(`.${name}`).textContent = text);
  set("ticket", call.ticket);
  set("window", say(sayWindow, call));
  set("place", named(call, "window_name"));
  set("times", say(sayTimes, call));
  row.querySelector(".times").hidden = call.times < 2 || call.state !== "called";
  row.dataset.ticket = call.ticket;
  row.classList.toggle("past", call.over || call.state !== "called");
  row.classList.toggle("long-ticket", call.ticket.length > 5);
  row.classList.toggle("long-window", call.window.length > 2);
}

function flash(call) {
  const row = rows.get(call.ticket);
  if (!row) return;
  row.classList.remove("flash");
  void row.offsetWidth; // Lets a second call of the same ticket flash anew.
  row.classList.add("flash");
  clearTimeout(row.flashing);
  row.flashing = setTimeout(() => row.classList.remove("flash"), FLASH_MS);
}

function showLines() {
  const pages = Math.max(1, Math.ceil(board.lines.length / LINES_ON_PAGE));
  page %= pages;
  const from = page * LINES_ON_PAGE;
  const lines = board.lines.slice(from, from + LINES_ON_PAGE).map((line) => {
    const row = copy("line");
    row.querySelector(".item").textContent = named(line);
    row.querySelector(".count").textContent = line.waiting;
    row.classList.toggle("long", named(line).length > (ENGLISH ? 15 : 7));
    return row;
  });
  part("lines").replaceChildren(...lines);
  part("page").textContent = pages > 1 ? `${page + 1}/${pages}` : "";
  part("page").ariaLabel = say(sayPage, { page: page + 1, pages });
}

function showClock() {
  const now = new Date();
  const language = document.documentElement.lang;
  const date = { timeZone, month: "long", day: "numeric", weekday: "long" };
  const time = { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  part("date").textContent = now.toLocaleDateString(language, date);
  part("clock").textContent = now.toLocaleTimeString(language, time);
}
