// Follow the hall: one websocket that comes back by itself.

const SILENCE_MS_MAX = 4500; // The hall says something every 2 s.
const LOOK_EVERY_MS = 250;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 5000;

/**
 * Hear every frame of the hall, the first a snapshot, and again after each loss.
 *
 * @param {string} name what this screen is called
 * @param {(frame: object) => void} onFrame a frame that shows something
 * @param {(lost: boolean) => void} onSignal the hall was lost, or found again
 */
export function follow(name, onFrame, onSignal) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const address = `${scheme}://${location.host}/ws/screen/${name}`;
  let socket = null;
  let heardAt = 0;
  let retryMs = RETRY_MS_MIN;

  function connect() {
    const mine = (socket = new WebSocket(address));
    let shown = false; // A line that beats but never shows the hall is no signal.
    heardAt = performance.now();
    mine.onmessage = (event) => {
      if (socket !== mine) return; // Given up as silent, and heard after all.
      const frame = JSON.parse(event.data);
      shown ||= frame.frame === "snapshot";
      if (!shown) return;
      heardAt = performance.now();
      if (frame.frame === "snapshot") {
        retryMs = RETRY_MS_MIN;
        onSignal(false);
      }
      if (frame.frame !== "beat") onFrame(frame);
    };
    mine.onclose = () => socket === mine && lose();
  }

  function lose() {
    const gone = socket;
    socket = null;
    gone.close();
    onSignal(true);
    // Spread out, or every screen of the hall knocks in the same instant.
    setTimeout(connect, retryMs * (0.5 + Math.random() / 2));
    retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
  }

  // A hall that falls silent without a word closes nothing, so nobody would notice.
  setInterval(() => {
    if (socket && performance.now() - heardAt > SILENCE_MS_MAX) lose();
  }, LOOK_EVERY_MS);
  connect();
}
