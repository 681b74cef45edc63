// Lists of shipments and events: the small ones of the page, and the panel that
// every number leads to.

import * as format from './format.js';
import { at, link, make, nothing, setText, show, Table, unknown } from './dom.js';
import { amend, listAddress, place, ROUTE, shipmentAddress } from './place.js';
import { read } from './api.js';

const FEW = { late: 5, failed: 5, events: 8, recent: 8 }; // rows of a small list
const CODE_LENGTH = 24; // longer ones may be broken
const PAGE = 50; // rows of the panel, and of each "more"
const TYPING_MS = 300;
const ON_ITS_WAY = ['pre_transit', 'in_transit', 'out_for_delivery',
	'available_for_pickup'];
const FAILED = ['failure', 'error', 'return_to_sender'];
export const UNDER_WAY = ON_ITS_WAY.join();
const STATUSES = ['unknown', UNDER_WAY, ...ON_ITS_WAY, 'delivered', ...FAILED,
	'cancelled'];

// --- cells ------------------------------------------------------------------------

export function badge(status) {
	return make('span', `status ${/^[a-z_]+$/.test(status ?? '') ? status : 'unknown'}`,
		format.words(status ?? 'unknown'));
}

function timeCell(time, write = format.shortMoment) {
	if (!time)
		return unknown('not known');
	const element = make('time', '', write(time));
	element.dateTime = time;
	element.title = format.exactTime(time);
	return element;
}

function shipmentLink(one) {
	const text = one.tracking_code ?? one.reference ?? one.easypost_id ?? one.id;
	return codeLink(one.id, text);
}

function codeLink(id, text) {
	const element = link(shipmentAddress(id), text);
	if (text.length > CODE_LENGTH)
		element.className = 'long';
	return element;
}

const second = (...words) => make('span', 'second of', ...words);

function costCell(one) {
	if (one.total_cost === null)
		return unknown(one.carrier ? 'no cost is known' : 'no label was bought');
	return format.money(one.total_cost, one.currency);
}

const carrierOf = (one) => [one.carrier, one.service].filter(Boolean).join(' ');

const carrierCell = (one) => carrierOf(one) || unknown('no label was bought');

function receiverCell(one) {
	const name = one.to_address?.name ?? one.to_address?.company;
	const where = format.place(one.to_address);
	if (!name && !where)
		return unknown('no address');
	return name ? [name, second(where)] : where;
}

function delayCell(one) {
	if (!one.promised_at)
		return unknown('no promised day');
	const days = Math.floor((Date.now() - Date.parse(one.promised_at)) / 86400000);
	return [format.dayOfTime(one.promised_at), days > 0
		? second(`${format.plural(days, 'day', 'days')} ago`) : null];
}

const shipment = { title: 'Shipment', style: 'code', cell: (one) =>
	[shipmentLink(one), second(carrierOf(one) || 'no label')] };
const state = { title: 'Status', cell: (one) => badge(one.status) };
const receiver = { title: 'To', style: 'to', cell: receiverCell };
const cost = { title: 'Cost', style: 'number', cell: costCell };

// --- the small ones ------------------------------------------------------------------

const small = {
	recent: new Table('Recent shipments', [shipment, state, receiver,
		{ title: 'Made', style: 'number', cell: (one) => [timeCell(one.created_at),
			one.total_cost === null ? null : second(costCell(one))] }]),
	late: new Table('Shipments that are late now', [shipment, state, receiver,
		{ title: 'Promised', style: 'number', cell: delayCell }]),
	failed: new Table('Shipments that failed', [shipment, state, receiver,
		{ title: 'When', style: 'number', cell: (one) => timeCell(one.updated_at) }]),
	events: new Table('Recent events', [
		{ title: 'Shipment', style: 'code', cell: (one) => [one.shipment_id
			? codeLink(one.shipment_id, one.tracking_code ?? 'shipment')
			: one.tracking_code ?? unknown('none of ours'),
		second(one.carrier ?? '')] },
		{ title: 'Status', cell: (one) => badge(one.status) },
		{ title: 'What', style: 'what', cell: (one) => [one.message ?? one.description ?? '',
			second(format.place(one.tracking_location))] },
		{ title: 'When', style: 'number', cell: (one) =>
			timeCell(one.event_datetime ?? one.created_at) },
	]),
};

// Returns how many rows are new since the last time; of another scope, none is.
export function drawList(name, items, words, scope) {
	const element = at(name);
	small[name].isFresh ||= small[name].scope !== scope;
	small[name].scope = scope;
	if (items.length === 0) {
		small[name].show([], (one) => one.id);
		show(element, words, () => nothing(words));
		return 0;
	}
	show(element, 'rows', () => small[name].element);
	return small[name].show(items.slice(0, FEW[name]), (one) => one.id);
}

const rows = new Table('Shipments found', [
	{ title: 'Shipment', style: 'code', cell: (one) => [shipmentLink(one),
		one.reference && one.tracking_code ? second(one.reference) : null] },
	{ title: 'Status', cell: (one) => [badge(one.status), FAILED.includes(one.status)
		? second(timeCell(one.updated_at, format.time)) : null] },
	{ title: 'Carrier', cell: (one) => one.carrier === null
		? unknown('no label was bought') : [one.carrier, second(one.service ?? '')] },
	{ title: 'From', style: 'to from', cell: (one) => format.place(one.from_address)
		|| unknown('no address') },
	receiver, cost,
	{ title: 'Promised', style: 'number', cell: (one) => [one.promised_at
		? format.dayOfTime(one.promised_at) : unknown('no promised day'),
	one.delivered_at ? second(`delivered ${format.dayOfTime(one.delivered_at)}`) : null] },
	{ title: 'Made', style: 'number made', cell: (one) => timeCell(one.created_at,
		format.time) }]);

// --- the panel -----------------------------------------------------------------------------

const panel = {
	filters: null, // null: closed
	mode: null,
	first: [], // its first page, always asked for again
	more: [], // later ones, as they were
	next: null,
	carriers: [],
};

function listQuery(filters, extra) {
	const query = new URLSearchParams(filters);
	if (panel.mode)
		query.set('mode', panel.mode);
	for (const [name, value] of Object.entries(extra))
		query.set(name, value);
	return `/db/shipments?${query}`;
}

export const panelPath = () => panel.filters && panel.mode
	? listQuery(panel.filters, { limit: PAGE }) : null;

// "in_transit,delivered" as "In transit, delivered".
function statusWords(text) {
	return text === UNDER_WAY ? 'Under way'
		: format.words(text).replaceAll(',', ', ');
}

function end(filters, side) {
	return ROUTE.filter((name) => name.startsWith(side) && filters[name])
		.map((name) => filters[name]).join(' ') || 'nowhere known';
}

const hasRoute = (filters) => ROUTE.some((name) => filters[name] !== undefined);

function heading(filters) {
	if (filters.late)
		return 'Shipments that are late now';
	const kind = filters.failed ? 'Failed shipments'
		: filters.status ? `Shipments: ${statusWords(filters.status).toLowerCase()}`
			: 'Shipments';
	const of = filters.carrier ? ` of ${filters.carrier}` : '';
	const way = hasRoute(filters)
		? `, ${end(filters, 'from')} → ${end(filters, 'to')}` : '';
	const found = filters.q ? `, found by “${filters.q}”` : '';
	const from = filters.date_from?.slice(0, 10);
	const to = filters.date_to?.slice(0, 10);
	const when = !from && !to ? '' : from === to ? `, ${format.day(from)}`
		: from && to ? `, ${format.daySpan(from, to)}`
			: from ? `, from ${format.day(from)}` : `, to ${format.day(to)}`;
	return kind + of + way + found + when;
}

function drawPanel() {
	const seen = new Set(panel.first.map((one) => one.id));
	const all = [...panel.first, ...panel.more.filter((one) => !seen.has(one.id))];
	if (all.length === 0)
		show(at('list-rows'), 'nothing', () => nothing('No shipment fits. '
			+ 'Fewer filters, or a longer period, find more.'));
	else
		show(at('list-rows'), 'rows', () => rows.element);
	rows.show(all, (one) => one.id);
	at('list-more').hidden = panel.next === null;
}

// What new ones have pushed off the first page comes before the later ones.  When the
// page does not reach what was there, all begins anew: nobody knows what lies between.
function keepMore(first) {
	if (panel.more.length === 0 && !at('list-more').disabled)
		return;
	const last = first.at(-1)?.id;
	const place = panel.first.findIndex((one) => one.id === last);
	const pushed = place < 0 ? [] : panel.first.slice(place + 1);
	const isNear = place >= 0 || panel.more.some((one) => one.id === last);
	panel.more = isNear ? [...pushed, ...panel.more.filter(
		(one) => pushed.every((each) => each.id !== one.id))] : [];
}

export function drawPage(data) {
	const { pagination } = data;
	keepMore(data.shipments);
	panel.first = data.shipments;
	if (panel.more.length === 0)
		panel.next = pagination.next;
	const about = pagination.total_is_estimate ? 'About ' : '';
	setText(at('list-count'), about + format.plural(pagination.total, 'shipment',
		'shipments'));
	drawPanel();
}

// A list that cannot be: days in the wrong order, a filter that is too long.
export function missPage(error) {
	Object.assign(panel, { first: [], more: [], next: null });
	rows.show([], (one) => one.id);
	rows.isFresh = true;
	setText(at('list-count'), '\u00a0');
	show(at('list-rows'), ['refused', error.message], () => nothing(error.message));
	at('list-more').hidden = true;
}

async function readMore() {
	const button = at('list-more');
	const asked = panel.filters;
	button.disabled = true;
	try {
		const data = await read(listQuery(panel.filters,
			{ limit: PAGE, after: panel.next }));
		if (asked === panel.filters) {
			panel.more.push(...data.shipments);
			panel.next = data.pagination.next;
			drawPanel();
		}
	} catch (error) {
		setText(at('list-count'), `The rest could not be read: ${error.message}`);
	} finally {
		button.disabled = false;
	}
}

function choices(select, values, chosen, words) {
	const all = chosen && !values.includes(chosen) ? [...values, chosen] : values;
	show(select, all, () => ['', ...all].map((value) => {
		const option = make('option', '', value ? words(value) : 'any');
		option.value = value;
		return option;
	}));
	select.value = chosen ?? '';
}

function fillForm(filters) {
	const form = at('filters').elements;
	for (const name of ['q', 'date_from', 'date_to']) {
		const value = (filters[name] ?? '').slice(0, name === 'q' ? 200 : 10);
		if (document.activeElement !== form[name] && form[name].value !== value)
			form[name].value = value;
	}
	choices(form.status, STATUSES, filters.status, statusWords);
	choices(form.carrier, panel.carriers, filters.carrier, (name) => name);
	form.only.value = filters.late ? 'late' : filters.failed ? 'failed' : '';
}

function statusKin(filters) {
	return [UNDER_WAY, ...ON_ITS_WAY].flatMap((status) => {
		const one = link(listAddress({ ...filters, status }), statusWords(status));
		if (status === filters.status)
			one.setAttribute('aria-current', 'true');
		return [one, ' '];
	});
}

function withoutRoute(filters) {
	return link(listAddress(Object.fromEntries(Object.entries(filters)
		.filter(([name]) => !ROUTE.includes(name)))), 'All routes');
}

// Lists beside this one: "under way" is four statuses, and the form has no route.
function drawKin(filters) {
	const element = at('list-kin');
	const isOnItsWay = filters.status === UNDER_WAY
		|| ON_ITS_WAY.includes(filters.status);
	element.hidden = !isOnItsWay && !hasRoute(filters);
	show(element, filters, () => [
		...isOnItsWay ? statusKin(filters) : [],
		hasRoute(filters) ? withoutRoute(filters) : null]);
}

export function setCarriers(names) {
	panel.carriers = names;
	if (panel.filters)
		fillForm(panel.filters);
}

export function setMode(mode) {
	panel.mode = mode;
}

// Opens the panel with these filters, or closes it (null).
export function openPanel(filters) {
	const dialog = at('list-panel');
	if (filters === null) {
		panel.filters = null;
		if (dialog.open)
			dialog.close();
		return;
	}
	const isOther = JSON.stringify(filters) !== JSON.stringify(panel.filters);
	if (isOther) {
		const wasOpen = panel.filters !== null;
		Object.assign(panel, { filters, more: [], next: null });
		rows.isFresh = true;
		if (!wasOpen) {
			panel.first = [];
			rows.show([], (one) => one.id);
			rows.isFresh = true;
			show(at('list-rows'), 'wait', () => nothing('Looking ...'));
			at('list-more').hidden = true;
		}
		setText(at('list-count'), '\u00a0');
		setText(at('list-title'), heading(filters));
		fillForm(filters);
		drawKin(filters);
	}
	at('list-csv').href = listQuery(filters, { format: 'csv' });
	if (!dialog.open)
		dialog.showModal();
}

function filtersOfForm() {
	const form = at('filters').elements;
	const filters = { ...place().list };
	for (const name of ['q', 'status', 'carrier', 'date_from', 'date_to'])
		filters[name] = form[name].value.trim();
	filters.late = form.only.value === 'late' ? 'true' : '';
	filters.failed = form.only.value === 'failed' ? 'true' : '';
	return filters;
}

export function preparePanel() {
	const form = at('filters');
	let timer;
	const follow = () => {
		clearTimeout(timer);
		if (panel.filters !== null)
			amend(listAddress(filtersOfForm()));
	};
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		follow();
	});
	form.addEventListener('input', () => {
		clearTimeout(timer);
		timer = setTimeout(follow, TYPING_MS);
	});
	at('list-more').addEventListener('click', readMore);
}
