// The board: what the hall shows now, out of its frames.

const HEARD_MAX = 200; // Calls remembered, so that none is announced twice.

export class Board {
  /** @param {number} callsMax how many calls are shown, newest first */
  constructor(callsMax) {
    this.callsMax = callsMax;
    this.position = null; // Nothing shown yet.
    this.calls = [];
    this.lines = [];
    this.closed = false;
    this.heard = [];
  }

  /**
   * Take in a frame.
   *
   * @returns {object[]} the calls to be announced now, oldest first: a new call, or
   *   after a loss those made meanwhile to which nobody has come yet
   */
  take(frame) {
    if (frame.frame === "snapshot") return this.#replace(frame);
    if (frame.position <= this.position) return [];
    this.position = frame.position;
    for (const line of frame.lines ?? []) {
      const at = this.lines.findIndex((known) => known.item === line.item);
      if (at >= 0) this.lines[at] = line;
    }
    if (frame.frame === "call") {
      const others = this.calls.filter((call) => call.ticket !== frame.call.ticket);
      this.calls = [frame.call, ...others].slice(0, this.callsMax);
      return this.#unheard([frame.call]);
    }
    if (frame.call) {
      const at = this.calls.findIndex((call) => call.ticket === frame.call.ticket);
      if (at >= 0) this.calls[at] = frame.call;
    }
    return [];
  }

  #replace(snapshot) {
    const first = this.position === null;
    this.position = snapshot.position;
    this.calls = snapshot.calls;
    this.lines = snapshot.lines;
    this.closed = snapshot.closed;
    const unheard = this.#unheard([...snapshot.calls].reverse());
    // A screen that was just switched on does not flash calls of long ago.
    return first ? [] : unheard.filter((call) => call.state === "called" && !call.over);
  }

  #unheard(calls) {
    const key = (call) => `${call.ticket} ${call.at} ${call.times}`;
    const unheard = calls.filter((call) => !this.heard.includes(key(call)));
    this.heard = [...this.heard, ...unheard.map(key)].slice(-HEARD_MAX);
    return unheard;
  }
}
