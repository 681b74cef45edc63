// The dashboard: one screen of figures, lists behind each of them, and what is
// happening now.  All state is in the address (days, mode, what is open); the key
// is in a cookie that no script can read.

import { Poll, Refused, get, send } from "./api.js";
import * as format from "./format.js";
import { cost, volume } from "./charts.js";

const byId = (id) => document.getElementById(id);
const LIVE_S = 2;
const CALM_S = 15;
const PANEL_ROWS = 50;

// An element with properties, and children that are elements or text.
function make(tag, properties = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(properties)) {
		if (name in element)
			element[name] = value;
		else
			element.setAttribute(name, value);
	}
	element.append(...children.flat(Infinity).filter((child) => child != null));
	return element;
}

// --- state ----------------------------------------------------------------------

const state = { days: 30, mode: null, open: null };

function readAddress() {
	const words = new URLSearchParams(location.hash.slice(1));
	const days = Number(words.get("days"));
	state.days = [7, 30, 90, 365].includes(days) ? days : 30;
	state.mode = ["test", "production"].includes(words.get("mode")) ? words.get("mode") : state.mode;
	state.open = words.get("shipment");
}

function writeAddress(changes) {
	Object.assign(state, changes);
	const words = new URLSearchParams({ days: state.days });
	if (state.mode)
		words.set("mode", state.mode);
	if (state.open)
		words.set("shipment", state.open);
	history.replaceState(null, "", `#${words}`);
}

// --- tables -------------------------------------------------------------------------

// columns: [heading, what to show of a row, is a number, may be left out on a phone]
const classes = (isNumber, isSpare) => `${isNumber ? "number" : ""} ${isSpare ? "spare" : ""}`.trim();

function table(caption, columns, rows, nothing) {
	if (!rows.length)
		return make("p", { className: "quiet" }, nothing);
	return make("table", {},
		make("caption", { className: "unseen" }, caption),
		make("thead", {}, make("tr", {}, columns.map(([heading, , isNumber, isSpare]) =>
			make("th", { scope: "col", className: classes(isNumber, isSpare) }, heading)))),
		make("tbody", {}, rows.map((row) => make("tr", {}, columns.map(([, show, isNumber, isSpare]) =>
			make("td", { className: classes(isNumber, isSpare) }, show(row)))))));
}

const status = (text) => make("span", { className: `status ${text}` }, format.words(text));

function shipmentLink(shipment) {
	return make("button", { className: "link", type: "button", onclick: () => openShipment(shipment.id) },
		shipment.tracking_code || shipment.reference || shipment.easypost_id || shipment.id.slice(0, 8));
}

function listLink(text, title, query) {
	return make("button", { className: "link", type: "button", onclick: () => openList(title, query) }, text);
}

const shipmentColumns = [
	["Shipment", shipmentLink],
	["Status", (row) => status(row.status)],
	["To", (row) => format.place(row.to_address)],
	["Carrier", (row) => row.carrier ? [row.carrier, " ", make("small", {}, row.service ?? "")] : format.DASH, false, true],
	["Cost", (row) => format.money(row.total_cost, row.currency), true, true],
	["Made", (row) => make("time", { dateTime: row.created_at, title: format.dateTime(row.created_at) },
		format.ago(row.created_at)), true],
];

const lateColumns = [...shipmentColumns.slice(0, 4),
	["Promised", (row) => format.date(row.promised_at), true]];

function put(id, content) {
	byId(id).replaceChildren(content);
}

// --- the figures --------------------------------------------------------------------

function sample(n, what) {
	return n ? `of ${format.count(n)} ${what}` : `no ${what} yet`;
}

function tile(name, value, note, ratio, list) {
	const change = ratio == null ? null
		: make("span", { className: "change", title: "compared with the period before" },
			`${ratio > 0 ? "▲" : ratio < 0 ? "▼" : ""} ${format.changed(ratio)}`);
	return make("li", {},
		make("span", { className: "name" }, name),
		list ? make("button", { className: "value", type: "button", onclick: () => openList(list[0], list[1]) }, value)
			: make("span", { className: "value" }, value),
		make("span", { className: "note" }, change, change && " ", note));
}

const since = (data) => ({ mode: data.mode, date_from: data.date_from });

function onlyCost(figures) {
	return figures.costs.length === 1 ? figures.costs[0] : {};
}

function showTiles(data) {
	const now = data.summary;
	const before = now.previous;
	const spent = onlyCost(now);
	const spentBefore = onlyCost(before);
	byId("tiles").replaceChildren(
		tile("Shipments", format.count(now.total_shipments), "than before",
			format.compared(now.total_shipments, before.total_shipments),
			[`Shipments of ${data.days} days`, since(data)]),
		tile("Cost", format.costs(now.costs),
			now.costs.length ? `${format.costs(now.costs, "avg_cost")} each` : "nothing bought yet",
			spent.currency === spentBefore.currency
				? format.compared(spent.total_cost, spentBefore.total_cost) : null),
		tile("On time", format.rate(now.on_time_rate),
			sample(now.on_time_sample, "delivered with a promised day"), null),
		tile("Days to deliver", now.delivery_days_p50 == null ? format.DASH
			: `${format.count(now.delivery_days_p50)}`,
			now.delivery_days_p90 == null ? "nothing delivered yet"
				: `half within; 90 % within ${format.count(now.delivery_days_p90)}; mean ${
					format.days(now.avg_delivery_days)}`, null),
		tile("Delivered", format.count(now.delivered_count),
			now.success_rate == null ? "no journey has ended yet"
				: `${format.rate(now.success_rate)} of ${format.count(now.success_sample)} that ended`, null,
			["Delivered", { ...since(data), status: "delivered" }]),
		tile("Under way", format.count(now.in_transit_count), "of this period", null,
			["In transit", { ...since(data), status: "in_transit" }]),
		tile("Late", data.attention.late_count > 1000 ? `> ${format.count(1000)}`
			: format.count(data.attention.late_count), "promised day has passed", null,
			["Late right now", { mode: data.mode, late: "true" }]),
		tile("Failed", format.count(now.failed_count), "failed or returned", null,
			["Failed or returned", { ...since(data), failed: "true" }]));
}

function withSample(shown, n) {
	return n ? [shown, make("small", { title: "how many this is of" }, ` ${format.count(n)}`)] : format.DASH;
}

function showCarriers(data) {
	put("carriers", table("Carriers compared", [
		["Carrier", (row) => listLink(row.carrier, row.carrier, { ...since(data), carrier: row.carrier })],
		["Shipments", (row) => format.count(row.total_shipments), true],
		["Each", (row) => format.costs(row.costs, "avg_cost"), true, true],
		["Cost", (row) => format.costs(row.costs), true],
		["On time", (row) => withSample(format.rate(row.on_time_rate), row.on_time_sample), true],
		["Days 50 / 90 %", (row) => row.delivery_days_p50 == null ? format.DASH
			: withSample(`${row.delivery_days_p50} / ${row.delivery_days_p90}`, row.delivery_days_sample), true, true],
		["Failed", (row) => format.count(row.failed_count), true, true],
	], data.carrier_performance, "No label was bought in this period."));
}

function showRoutes(data) {
	const end = (row, which) => format.place({
		city: row[`${which}_city`], state: row[`${which}_state`], country: row[`${which}_country`] });
	put("routes", table("Routes with most shipments", [
		["From", (row) => end(row, "from")],
		["To", (row) => listLink(end(row, "to"), `Shipments with ${row.to_city}`, { mode: data.mode, q: row.to_city })],
		["Shipments", (row) => format.count(row.shipment_count), true],
		["Each", (row) => format.costs(row.costs, "avg_cost"), true, true],
		["Days", (row) => format.days(row.avg_delivery_days), true],
	], data.top_routes.filter((row) => row.from_city || row.to_city), "No shipment with addresses in 90 days."));
}

const charts = {};

function showFigures(data) {
	state.mode ??= data.mode;
	markChoices();
	byId("empty").hidden = data.summary.total_shipments > 0 || data.summary.previous.total_shipments > 0;
	showTiles(data);
	showCarriers(data);
	showRoutes(data);
	charts.volume ??= volume(byId("volume"));
	charts.cost ??= cost(byId("cost"));
	charts.volume(data.shipment_trends);
	charts.cost(data.shipment_trends);
	put("days", table("Shipments and cost of each day", [
		["Day", (row) => format.date(row.date)],
		["Shipments", (row) => format.count(row.count), true],
		["Delivered", (row) => format.count(row.delivered), true],
		["Failed", (row) => format.count(row.failed), true],
		["Cost", (row) => format.costs(row.costs), true],
	], [...data.shipment_trends].reverse(), ""));
	byId("as-of").textContent = data.as_of ? `Last change: ${format.dateTime(data.as_of)}` : "";
}

// --- what happens now ------------------------------------------------------------------

function showEvents(data) {
	put("events", table("Newest events", [
		["When", (row) => make("time", { dateTime: row.event_datetime || row.created_at,
			title: format.dateTime(row.event_datetime || row.created_at) },
		format.ago(row.event_datetime || row.created_at))],
		["Status", (row) => status(row.status)],
		["What", (row) => row.message || format.DASH, false, true],
		["Parcel", (row) => row.shipment_id ? shipmentLink({ id: row.shipment_id, tracking_code: row.tracking_code })
			: row.tracking_code || format.DASH],
	], data.events, "No event has come yet."));
}

const rowsOf = (id, caption, columns, nothing) => (data) =>
	put(id, table(caption, columns, data.shipments, nothing));

function sign(name, isGood, note) {
	return make("li", { className: isGood ? "good" : "poor" },
		make("span", { className: "mark", "aria-hidden": "true" }, isGood ? "✓" : "!"),
		make("span", {}, make("strong", {}, name),
			make("span", { className: "unseen" }, isGood ? " is well: " : " needs a look: "), " ",
			make("span", { className: "quiet" }, note)));
}

function signsOf({ database, pool, spool, background }) {
	const signs = [sign("Database", database.status === "ok", database.status === "ok"
		? `${format.count(pool.checked_out)} of ${format.count(pool.pool_size)} workers busy` : database.status)];
	signs.push(sign("Spool", !spool.depth && !spool.bad, spool.bad ? `${format.count(spool.bad)} set aside: waybill spool`
		: spool.depth ? `${format.count(spool.depth)} wait for the database` : "empty"));
	if (!background)
		return signs;
	const { events, figures, jobs } = background;
	signs.push(sign("Events", !events.failed, events.failed ? `${format.count(events.failed)} could not be applied`
		: events.last_at ? `last one ${format.ago(events.last_at)}` : "none has come yet"));
	signs.push(sign("Jobs", !jobs.failed, jobs.failed ? `${format.count(jobs.failed)} failed: waybill jobs list`
		: `${format.count(jobs.queued)} waiting`));
	signs.push(sign("Figures", !figures.drift && figures.compared_at, figures.drift
		? `${format.count(figures.drift)} sums were wrong, and are repaired` : figures.compared_at
			? `compared with the shipments ${format.ago(figures.compared_at)}` : "never compared: waybill refresh"));
	return signs;
}

function completenessSign({ days }) {
	const open = days.filter((day) => !day.is_complete).length;
	const last = days.map((day) => day.checked_at).filter(Boolean).sort().at(-1);
	return sign("Completeness", last && !open, !last ? "never compared with EasyPost: waybill reconcile"
		: open ? `${format.count(open)} of ${format.count(days.length)} days are not known to be complete`
			: `compared with EasyPost ${format.ago(last)}`);
}

const seen = {};

function showHealth() {
	byId("health").replaceChildren(...seen.health ? signsOf(seen.health) : [],
		...seen.completeness ? [completenessSign(seen.completeness)] : []);
}

// --- panels ----------------------------------------------------------------------------

const panel = byId("panel");

function openPanel(title) {
	byId("panel-title").textContent = title;
	put("panel-body", make("p", { className: "quiet" }, "Reading ..."));
	if (!panel.open)
		panel.showModal();
	panel.scrollTop = 0;
}

async function fill(path, draw) {
	try {
		put("panel-body", draw(await get(path)));
	} catch (error) {
		if (error instanceof Refused && error.status === 401)
			return leave();
		put("panel-body", make("p", { className: "bad" }, error instanceof Refused ? error.message
			: "The gateway does not answer."));
	}
}

function openList(title, query) {
	const words = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
	openPanel(title);
	return fill(`/db/shipments?${words}&limit=${PANEL_ROWS}`, (data) => {
		const { total, total_is_estimate: isEstimate, has_more: hasMore } = data.pagination;
		return make("div", {},
			make("p", {}, `${isEstimate ? "about " : ""}${format.count(total)} shipments`,
				hasMore ? `, the newest ${format.count(data.shipments.length)} here. ` : ". ",
				make("a", { href: `/db/shipments?${words}&format=csv`, download: "" }, "All as CSV")),
			make("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": title },
				table(title, shipmentColumns, data.shipments, "There is none.")));
	});
}

function timeline(events) {
	if (!events.length)
		return make("p", { className: "quiet" }, "No event has come yet.");
	return make("ol", { className: "timeline" }, [...events].reverse().map((event) => make("li", {},
		make("time", { dateTime: event.datetime }, format.dateTime(event.datetime)), " ",
		status(event.status), make("span", {}, event.message ? ` ${event.message}` : ""),
		make("span", { className: "quiet" }, event.tracking_location?.city
			? ` ${format.place(event.tracking_location)}` : ""))));
}

function facts(pairs) {
	return make("dl", {}, pairs.filter(([, value]) => value && value !== format.DASH)
		.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function address(one) {
	return one ? [one.name, one.company, one.street1, one.street2, format.place(one), one.zip]
		.filter(Boolean).join(", ") : null;
}

function openShipment(id) {
	writeAddress({ open: id });
	openPanel("Shipment");
	return fill(`/db/shipments/${encodeURIComponent(id)}`, (shipment) => {
		byId("panel-title").textContent = shipment.tracking_code || shipment.easypost_id || "Shipment";
		return make("div", {},
			facts([["Status", status(shipment.status)],
				["Carrier", [shipment.carrier, shipment.service].filter(Boolean).join(" ")],
				["Cost", format.money(shipment.total_cost, shipment.currency)],
				["Reference", shipment.reference],
				["From", address(shipment.from_address)], ["To", address(shipment.to_address)],
				["Made", format.dateTime(shipment.created_at)], ["Bought", format.dateTime(shipment.purchased_at)],
				["Promised", format.date(shipment.promised_at)], ["Delivered", format.dateTime(shipment.delivered_at)],
				["Signed by", shipment.signed_by], ["EasyPost", shipment.easypost_id], ["Id", shipment.id]]),
			make("h3", {}, "Timeline"), timeline(shipment.events ?? []));
	});
}

// --- polling -----------------------------------------------------------------------------

let polls = [];
const states = new Map();

function onState(path, error) {
	if (error instanceof Refused && error.status === 401)
		return leave();
	states.set(path, error);
	const worst = [...states.values()].find(Boolean);
	const trouble = byId("trouble");
	trouble.hidden = !worst;
	if (!worst)
		seen.at = new Date();
	else
		trouble.textContent = worst instanceof Refused ? worst.message
			: `Connection lost, trying again. What is shown is from ${format.time(seen.at)}.`;
	byId("link-state").textContent = worst ? "" : "Live";
	return undefined;
}

function poll(path, seconds, onData) {
	polls.push(new Poll(path, seconds, { onData, onState: (error) => onState(path, error) }));
}

function watch() {
	polls.forEach((one) => one.stop());
	polls = [];
	states.clear();
	const mode = state.mode ? `&mode=${state.mode}` : "";
	const nobody = "There is none.";
	poll(`/db/analytics/dashboard?days=${state.days}${mode}`, LIVE_S, showFigures);
	poll(`/db/events?limit=10${mode}`, LIVE_S, showEvents);
	poll(`/db/shipments?limit=10${mode}`, LIVE_S,
		rowsOf("recent", "Newest shipments", shipmentColumns, "No shipment yet."));
	poll(`/db/shipments?limit=8&late=true${mode}`, CALM_S,
		rowsOf("late", "Late shipments", lateColumns, nobody));
	poll(`/db/shipments?limit=8&failed=true${mode}`, CALM_S,
		rowsOf("failed", "Failed shipments", shipmentColumns, nobody));
	poll("/health", CALM_S, (data) => { seen.health = data; showHealth(); });
	poll("/db/completeness?limit=50", CALM_S, (data) => { seen.completeness = data; showHealth(); });
}

// --- in and out ---------------------------------------------------------------------------

function show(isIn) {
	byId("enter").hidden = isIn;
	for (const id of ["board", "choices", "search", "leave"])
		byId(id).hidden = !isIn;
}

function enter(session) {
	state.mode ??= session.mode;
	markChoices();
	show(true);
	watch();
	if (state.open)
		openShipment(state.open);
}

function leave() {
	polls.forEach((one) => one.stop());
	polls = [];
	byId("trouble").hidden = true;
	byId("link-state").textContent = "";
	panel.close();
	show(false);
	byId("key").focus();
}

function markChoices() {
	for (const [name, value] of [["days", String(state.days)], ["mode", state.mode]])
		for (const choice of document.querySelectorAll(`input[name=${name}]`))
			choice.checked = choice.value === value;
}

byId("enter").addEventListener("submit", async (event) => {
	event.preventDefault();
	byId("refusal").textContent = "";
	try {
		enter(await send("POST", "/dashboard/session", { key: byId("key").value }));
	} catch (error) {
		byId("refusal").textContent = error instanceof Refused ? error.message : "The gateway does not answer.";
	} finally {
		byId("key").value = "";
	}
});

byId("leave").addEventListener("click", async () => {
	try {
		await send("DELETE", "/dashboard/session");
	} catch { /* the cookie ends by itself */ }
	leave();
});

byId("choices").addEventListener("change", (event) => {
	const { name, value } = event.target;
	writeAddress(name === "days" ? { days: Number(value) } : { mode: value });
	watch();
});

byId("search").addEventListener("submit", (event) => {
	event.preventDefault();
	const words = byId("q").value.trim();
	if (words)
		openList(`Found for “${words}”`, { q: words, mode: state.mode });
});

byId("close").addEventListener("click", () => panel.close());
panel.addEventListener("close", () => writeAddress({ open: null }));
window.addEventListener("hashchange", () => {
	readAddress();
	if (byId("board").hidden)
		return;
	markChoices();
	watch();
	if (state.open)
		openShipment(state.open);
});

byId("base").textContent = `${location.origin}/v2`;
byId("hook").textContent = `${location.origin}/webhooks/easypost`;
byId("zone").textContent = format.zone;
readAddress();
try {
	enter(await get("/dashboard/session"));
} catch {
	leave();
}
