
"use strict";
(() => {
const UNKNOWN = "?", RANK = {ro: 1, rw: 2};
const OVERSCAN = 8, MAX_PRINTED = 2000, MAX_NAMED = 8, SECOND = 1000, DAY = 86400 * SECOND;
const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600,
  2592000, 7776000, 31536000].map(seconds => seconds * SECOND);
const WORDS = {rw: "read and write", ro: "read only", [UNKNOWN]: "not known"};
const $ = id => document.getElementById(id);
const read = id => JSON.parse($(id).textContent);
const page = read("page");
const all = makeWindow();
const lanes = read("lanes").map(toLane);
let view = {...all}, shown = lanes, chosen = null, focused = 0, printing = false;

// -- times and spans -----------------------------------------------------------------------------
function makeWindow() {
  let start = page.start ?? 0, end = page.end ?? start + SECOND;
  if (end <= start) end = start + SECOND;
  const margin = Math.max((end - start) * 0.02, SECOND);
  return {start: start - margin, end: end + margin};
}
function toLane([name, detail, spans], index) {
  const lane = {name, detail, index, text: `${name} ${detail}`.toLowerCase(), kinds: new Set(), over: 0, unsure: 0};
  lane.spans = spans.map(([start, end, wanted, force, most, why]) => {
    const kind = kindOf(wanted, force, most);
    const span = {start: start ?? -Infinity, end: end ?? Infinity, wanted, force, most, why, kind};
    lane.kinds.add(kind);
    if (force === UNKNOWN) lane.kinds.add("unknown");
    if (force === UNKNOWN || wanted === UNKNOWN) lane.unsure = Math.max(lane.unsure, length(span));
    if (kind === "exposed") lane.over += length(span);
    return span;
  });
  lane.first = Math.min(...lane.spans.map(span => Math.max(span.start, all.start)));
  return lane;
}
function kindOf(wanted, force, most) {
  const granted = RANK[force === UNKNOWN ? most : force] ?? 0;
  if (wanted !== UNKNOWN && granted > (RANK[wanted] ?? 0) && (force !== UNKNOWN || !wanted)) return "exposed";
  if (force === UNKNOWN || wanted === UNKNOWN) return "unknown";
  return (RANK[wanted] ?? 0) > granted ? "waiting" : "agreed";
}
function length(span) {
  return Math.max(0, Math.min(span.end, page.end ?? all.end) - Math.max(span.start, page.start ?? all.start));
}
function timeText(ms) {
  if (ms === -Infinity) return "before the log";
  if (ms === Infinity) return "still so";
  return new Date(ms).toISOString().replace("T", " ").replace(/(\.\d+)?Z$/, "");
}
function tickText(ms, step) {
  const text = new Date(ms).toISOString();
  if (step >= DAY) return text.slice(0, 10);
  const time = text.slice(11, step < 60 * SECOND ? 19 : 16);
  return ms % DAY === 0 ? `${text.slice(5, 10)} ${time}` : time;
}
function durationText(ms) {
  if (ms < SECOND) return ms ? `${ms} ms` : "0 s";
  const parts = [["d", DAY], ["h", 3600 * SECOND], ["min", 60 * SECOND], ["s", SECOND]];
  const found = [];
  for (const [unit, size] of parts) {
    if (ms >= size && found.length < 2) found.push(`${Math.floor(ms / size)} ${unit}`);
    ms %= size;
  }
  return found.join(" ");
}
const percent = ms => 100 * (ms - view.start) / (view.end - view.start);

// -- elements ------------------------------------------------------------------------------------
function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
function bar(className, span, text) {
  const left = Math.max(percent(span.start), 0), right = Math.min(percent(span.end), 100);
  if (right < 0 || left > 100) return null;
  const element = make("div", `bar ${className}`);
  element.style.left = `${Math.min(left, 99.7)}%`;
  element.style.width = `${Math.max(right - left, 0)}%`;
  if (right - left > 5) element.textContent = text;
  return element;
}
function bars(span) {
  const wanted = span.wanted && bar(`wanted ${span.wanted === UNKNOWN ? "unsure" : span.wanted}`, span, "");
  const style = (span.force === UNKNOWN ? "unsure " : "") + (span.kind === "exposed" ? "over" : span.force);
  const force = span.force && bar(`force ${style}`, span, span.force === UNKNOWN ? "?" : span.force);
  const found = [wanted, force].filter(Boolean);
  for (const element of found) element.title = sentence(span);
  return found;
}
function sentence(span) {
  const force = span.force ? `in force: ${WORDS[span.force]}` : "not in force";
  const wanted = span.wanted ? `intended: ${WORDS[span.wanted]}` : "not intended";
  return `${timeText(span.start)} to ${timeText(span.end)} UTC\n${force}; ${wanted}` + (span.why ? `\n${span.why}` : "");
}
function summary(lane) {
  const parts = [lane.name, lane.detail];
  if (lane.over) parts.push(`in force and not intended for ${durationText(lane.over)}`);
  if (lane.kinds.has("unknown")) parts.push("in part not known");
  return parts.join(", ");
}
function rowOf(lane, place) {
  const row = make("div", "row");
  row.setAttribute("role", "row");
  row.setAttribute("aria-rowindex", place + 1);
  row.setAttribute("aria-selected", lane === chosen);
  row.tabIndex = place === focused ? 0 : -1;
  row.dataset.place = place;
  row.style.top = `${place * rowHeight()}px`;
  const label = make("div", "label");
  label.setAttribute("role", "rowheader");
  label.append(make("b", "", lane.name), make("small", "", lane.detail));
  label.title = `${lane.name}\n${lane.detail}`;
  const track = make("div", "track");
  track.setAttribute("role", "gridcell");
  track.setAttribute("aria-label", summary(lane));
  track.append(...ticks().map(([ms]) => line("grid", ms)), ...lane.spans.flatMap(bars), ...markLine());
  row.append(label, track);
  return row;
}
function line(className, ms) {
  const element = make("div", className);
  element.style.left = `${percent(ms)}%`;
  return element;
}
function markLine() {
  return page.mark !== null && page.mark >= view.start && page.mark <= view.end ? [line("mark", page.mark)] : [];
}

// -- drawing -------------------------------------------------------------------------------------
function rowHeight() {
  return parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
}
function ticks() {
  const wanted = Math.max(2, Math.floor($("ticks").clientWidth / 120)), range = view.end - view.start;
  const step = STEPS.find(size => range / size <= wanted) ?? 31536000 * SECOND * Math.ceil(range / (wanted * 31536000 * SECOND));
  const found = [];
  for (let ms = Math.ceil(view.start / step) * step; ms <= view.end; ms += step) found.push([ms, tickText(ms, step)]);
  return found;
}
function drawAxis() {
  const labels = ticks().filter(([ms]) => percent(ms) < 93).map(([ms, text]) => {
    const label = make("span", "", text);
    label.style.left = `${percent(ms)}%`;
    return label;
  });
  const marks = markLine();
  for (const mark of marks) {
    mark.classList.toggle("late", percent(page.mark) > 70);
    mark.append(make("b", "", timeText(page.mark)));
  }
  $("ticks").replaceChildren(...ticks().map(([ms]) => line("grid", ms)), ...labels, ...marks);
}
function drawRows() {
  const scroller = $("scroller"), height = rowHeight(), had = document.activeElement?.classList.contains("row");
  $("rows").style.height = `${shown.length * height}px`;  // before the height of what is seen is read
  let first = Math.max(0, Math.floor(scroller.scrollTop / height) - OVERSCAN);
  let last = Math.min(shown.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / height) + OVERSCAN);
  if (printing) [first, last] = [0, Math.min(shown.length, MAX_PRINTED)];
  $("rows").setAttribute("aria-rowcount", shown.length);
  const rows = shown.slice(first, last).map((lane, offset) => rowOf(lane, first + offset));
  if (rows.length && (focused < first || focused >= last) && !had) rows[0].tabIndex = 0;
  $("rows").replaceChildren(...rows);
  if (had) $("rows").querySelector(`[data-place="${focused}"]`)?.focus({preventScroll: true});
}
function draw() { drawAxis(); drawRows(); }
function drawStatus() {
  const noun = shown.length === 1 ? page.noun : `${page.noun}s`;
  const times = `${timeText(Math.round(view.start))} to ${timeText(Math.round(view.end))} UTC`;
  const cut = printing && shown.length > MAX_PRINTED ? `; the first ${MAX_PRINTED} are printed` : "";
  $("status").textContent = shown.length
    ? `${shown.length} of ${lanes.length} ${noun}, ${times}${cut}`
    : `No ${page.noun} ${lanes.length ? "matches; clear the search" : "was found in this time"}`;
}
function drawFacts() {
  const count = kind => lanes.filter(lane => lane.kinds.has(kind)).length;
  const longest = name => durationText(lanes.reduce((most, lane) => Math.max(most, lane[name]), 0));
  const facts = [[`${page.noun}s`, lanes.length, false]];
  if (page.mark !== null) facts.push([`in force at the mark`, lanes.filter(isMarked).length, false]);
  facts.push(["in force, not intended", count("exposed"), count("exposed") > 0]);
  facts.push(["longest such time", longest("over"), count("exposed") > 0],
    ["longest time not known", longest("unsure"), false]);
  $("facts").replaceChildren(...facts.map(([name, value, bad]) => {
    const fact = make("div", bad ? "bad" : "");
    fact.append(make("dt", "", name), make("dd", "", String(value)));
    return fact;
  }));
}
function drawAnswer() {
  if (page.mark === null) return;
  const then = lanes.map(lane => [lane, spanAt(lane)]).filter(([, span]) => span?.force);
  const names = then.slice(0, MAX_NAMED).map(([lane, span]) => {
    const level = span.force === UNKNOWN ? `not known, at most ${WORDS[span.most]}` : WORDS[span.force];
    return `${lane.name} (${level}${span.kind === "exposed" ? ", not intended" : ""})`;
  });
  if (then.length > names.length) names.push(`${then.length - names.length} more`);
  $("answer").textContent = `At ${timeText(page.mark)} UTC it was in force, or not known whether it was, for: ${names.join(", ") || "nobody"}.`;
}
function drawDetails() {
  const parts = [];
  if (chosen) {
    const table = make("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    for (const name of ["From (UTC)", "To (UTC)", "Lasted", "Intended", "In force", "Why"]) {
      const cell = make("th", "", name);
      cell.scope = "col";
      head.append(cell);
    }
    for (const span of chosen.spans) {
      const row = body.insertRow(), most = span.force === UNKNOWN && span.most ? `, at most ${WORDS[span.most]}` : "";
      const lasted = span.start === -Infinity || span.end === Infinity ? "" : durationText(span.end - span.start);
      const cells = [timeText(span.start), timeText(span.end), lasted, WORDS[span.wanted] ?? "no",
        (WORDS[span.force] ?? "no") + most, span.why];
      for (const text of cells) row.insertCell().textContent = text;
      if (span.kind === "exposed") row.cells[4].className = "bad";
    }
    parts.push(make("h2", "", `${chosen.name} (${chosen.detail})`), table);
  }
  $("details").replaceChildren(...parts);
}

// -- what is shown -------------------------------------------------------------------------------
function isMarked(lane) {
  return Boolean(spanAt(lane)?.force);
}
function spanAt(lane) {
  return lane.spans.find(span => span.start <= page.mark && page.mark < span.end);
}
const ORDERS = {
  given: (a, b) => a.index - b.index,
  unsure: (a, b) => b.unsure - a.unsure || a.index - b.index,
  exposed: (a, b) => b.over - a.over || a.index - b.index,
  start: (a, b) => a.first - b.first || a.index - b.index,
  name: (a, b) => a.name.localeCompare(b.name, "en", {numeric: true}) || a.index - b.index,
};
function filter() {
  const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean), only = $("only").value;
  shown = lanes.filter(lane => words.every(word => lane.text.includes(word))
    && (only === "all" || (only === "marked" ? isMarked(lane) : lane.kinds.has(only))));
  shown.sort(ORDERS[$("order").value]);
  focused = 0;
  $("scroller").scrollTop = 0;
  draw();
  drawStatus();
  keep({find: $("find").value, only: only === "all" ? "" : only, order: $("order").selectedIndex ? $("order").value : ""});
}
function keep(choices) {
  const state = new URLSearchParams(Object.entries(choices).filter(([, value]) => value)).toString();
  if (state === location.hash.slice(1)) return;
  try { history.replaceState(null, "", `#${state}`); } catch { /* not allowed for this address */ }
}
function restore() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const id of ["find", "only", "order"]) {
    if (state.get(id)) $(id).value = state.get(id);
    if (!$(id).value && id !== "find") $(id).selectedIndex = 0;
  }
}
function zoom(how) {
  const range = view.end - view.start, middle = page.mark >= view.start && page.mark <= view.end && page.mark !== null
    ? page.mark : view.start + range / 2;
  const moved = by => ({start: view.start + by * range, end: view.end + by * range});
  const scaled = by => ({start: middle - (middle - view.start) * by, end: middle + (view.end - middle) * by});
  const next = {in: () => scaled(0.5), out: () => scaled(2), earlier: () => moved(-0.25), later: () => moved(0.25),
    all: () => all}[how]();
  if (next.end - next.start < SECOND) return;
  const whole = all.end - all.start, wide = Math.min(next.end - next.start, whole);
  const start = Math.min(Math.max(next.start, all.start), all.end - wide);
  view = {start, end: start + wide};
  draw();
  drawStatus();
}
function choose(place) {
  focused = place;
  chosen = chosen === shown[place] ? null : shown[place];
  drawRows();
  drawDetails();
}
function focusRow(place) {
  const scroller = $("scroller"), height = rowHeight();
  focused = Math.min(Math.max(place, 0), shown.length - 1);
  const top = focused * height;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  if (top + height > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + height - scroller.clientHeight;
  drawRows();
  $("rows").querySelector(`[data-place="${focused}"]`)?.focus({preventScroll: true});
}
function onKey(event) {
  const sheet = Math.max(1, Math.floor($("scroller").clientHeight / rowHeight()) - 1);
  const moves = {ArrowDown: 1, ArrowUp: -1, PageDown: sheet, PageUp: -sheet, Home: -Infinity, End: Infinity};
  const zooms = {"+": "in", "=": "in", "-": "out", "0": "all", ArrowLeft: "earlier", ArrowRight: "later"};
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in moves) focusRow(focused + moves[event.key]);
  else if (event.key in zooms) zoom(zooms[event.key]);
  else if (event.key === "Enter" || event.key === " ") choose(focused);
  else return;
  event.preventDefault();
}
function print(now) {
  printing = now;
  draw();
  drawStatus();
}

// -- begin ---------------------------------------------------------------------------------------
$("only").querySelector("[value=marked]").hidden = page.mark === null;
restore();
$("find").addEventListener("input", filter);
for (const id of ["only", "order"]) $(id).addEventListener("change", filter);
$("controls").addEventListener("submit", event => event.preventDefault());
$("controls").addEventListener("click", event => event.target.dataset.zoom && zoom(event.target.dataset.zoom));
$("rows").addEventListener("keydown", onKey);
$("rows").addEventListener("click", event => {
  const row = event.target.closest(".row");
  if (row) choose(Number(row.dataset.place));
});
let waiting = false;
$("scroller").addEventListener("scroll", () => {
  if (waiting || printing) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; drawRows(); });
});
addEventListener("resize", draw);
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(false));
drawFacts();
drawAnswer();
filter();
})();
