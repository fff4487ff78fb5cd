// Live pages: what htmx reads again is left alone while somebody uses it, and the stream of new events.
"use strict";

const MOST_ROWS = 300;
const stale = document.getElementById("stale");

function say(text) {
  stale.textContent = text;
  stale.hidden = !text;
}

// -- pages that are read again ---------------------------------------------------------------------
document.addEventListener("htmx:beforeRequest", (event) => {
  const polled = event.target.id === "live";
  const selecting = !document.getSelection().isCollapsed;
  if (polled && (document.hidden || selecting)) event.preventDefault();
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) say("");
});
document.addEventListener("htmx:sendError", () => {
  say("The console does not answer. This page shows what it knew last; it is read again every few seconds.");
});
document.addEventListener("htmx:responseError", (event) => {
  const signedOut = event.detail.xhr.status === 401;
  say(signedOut
    ? "The console was started again: open the address that it printed."
    : "This page could not be read again. It shows what was known last.");
});

// -- events ----------------------------------------------------------------------------------------
function follow(rows) {
  rows.dataset.followed = "yes";
  const state = document.getElementById("stream-state");
  const notice = document.getElementById("stream-notice");
  const pause = document.getElementById("pause");
  let paused = false;
  let waiting = [];

  const show = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    const row = template.content.querySelector("tr");
    row.classList.add("new");
    rows.prepend(row);
    setTimeout(() => row.classList.remove("new"), 1500);
    while (rows.rows.length > MOST_ROWS) rows.deleteRow(-1);
  };
  const tell = (text) => { if (state.textContent !== text) state.textContent = text; };
  const warn = (text) => { notice.textContent = text; notice.hidden = !text; };
  const live = () => {
    tell(paused ? "Paused" : "Live");
    pause.textContent = paused ? `Go on (${waiting.length} new)` : "Pause";
  };

  const source = new EventSource(rows.dataset.stream);
  source.addEventListener("open", () => { warn(""); live(); });
  source.addEventListener("error", () => {
    tell(source.readyState === EventSource.CLOSED ? "Ended" : "Connecting again");
    warn(source.readyState === EventSource.CLOSED
      ? "The console was started again, or too many viewers follow: load this page again."
      : "The console does not answer. Events go on from the last one here once it does.");
  });
  source.addEventListener("recorded", (event) => {
    if (!paused) { show(event.data); return; }
    waiting = [...waiting, event.data].slice(-MOST_ROWS);
    live();
  });
  source.addEventListener("notice", (event) => warn(event.data));
  source.addEventListener("interrupted", (event) => {
    tell("Interrupted");
    warn(`No events come: ${event.data}. They go on from the last one here.`);
  });
  source.addEventListener("resumed", () => { warn(""); live(); });

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    if (!paused) { waiting.forEach(show); waiting = []; }
    live();
  });
}

function followIfShown() {
  const rows = document.getElementById("stream");
  if (rows && !rows.dataset.followed) follow(rows);
}
followIfShown();
document.addEventListener("htmx:afterSettle", followIfShown); // a page that has come back
