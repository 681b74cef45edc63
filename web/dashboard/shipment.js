// One shipment: what it is, what happened to it, what it could have cost.

import * as format from './format.js';
import { at, forget, link, make, nothing, setText, show, unknown } from './dom.js';
import { badge } from './lists.js';

const panel = { id: null };

export const shipmentPath = () => panel.id === null ? null
	: `/db/shipments/${encodeURIComponent(panel.id)}`;

function fact(name, ...value) {
	return [make('dt', '', name), make('dd', '', ...value)];
}

function time(text, write = format.fullTime) {
	const element = make('time', '', write(text));
	element.dateTime = text;
	element.title = format.exactTime(text);
	return element;
}

function address(title, one) {
	if (!one)
		return null;
	const lines = [one.name, one.company, one.street1, one.street2,
		[one.city, one.state, one.zip].filter(Boolean).join(', '), one.country]
		.filter(Boolean);
	return make('section', 'address', make('h3', '', title),
		make('p', '', lines.flatMap((line, number) =>
			number ? [make('br'), line] : [line])));
}

function promise(one) {
	if (!one.promised_at)
		return unknown('no promised day');
	// As the gateway counts: when the day has ended everywhere, at noon UTC.
	const noon = new Date(Date.now() - 12 * 3600000).setUTCHours(0, 0, 0, 0);
	const isLate = !one.delivered_at && Date.parse(one.promised_at) < noon
		&& !['delivered', 'cancelled', 'return_to_sender', 'failure', 'error']
			.includes(one.status);
	return [time(one.promised_at, format.fullDayOfTime),
		isLate ? make('strong', 'late', ' late') : null];
}

function facts(one) {
	const weight = one.weight === null ? unknown('not known')
		: `${format.decimal(one.weight)} oz`;
	return make('dl', 'facts', [
		fact('Status', badge(one.status)),
		fact('Carrier', one.carrier === null ? unknown('no label was bought')
			: [one.carrier, one.service ? ` ${one.service}` : '']),
		fact('Cost', one.total_cost === null
			? unknown(one.carrier ? 'no cost is known' : 'no label was bought')
			: format.money(one.total_cost, one.currency)),
		fact('Made', time(one.created_at)),
		fact('Promised', promise(one)),
		one.delivered_at
			? fact('Delivered', time(one.delivered_at),
				one.signed_by ? `, signed by ${one.signed_by}` : '')
			: fact('Expected', one.est_delivery_date
				? time(one.est_delivery_date, format.fullDayOfTime)
				: unknown('the carrier has not said')),
		fact('Reference', one.reference ?? unknown('none')),
		fact('Weight', weight),
		fact('Mode', format.words(one.mode)),
		fact('EasyPost', one.easypost_id ? make('code', '', one.easypost_id)
			: unknown('none of EasyPost')),
	]);
}

function timeline(events) {
	if (!events?.length)
		return nothing('The carrier has told nothing yet.');
	const list = make('ol', 'timeline', [...events].reverse().map((one) => {
		const where = format.place(one.tracking_location);
		return make('li', /^[a-z_]+$/.test(one.status ?? '') ? one.status : '',
			make('p', 'when', one.datetime ? time(one.datetime)
				: unknown('time not known'), ' ', badge(one.status)),
			make('p', '', one.message ?? '',
				where ? make('span', 'of', ` ${where}`) : null));
	}));
	list.reversed = true;
	return list;
}

function plainTable(caption, titles, lines) {
	const head = make('tr', '', titles.map((title) => {
		const cell = make('th', title.style, title.text);
		cell.scope = 'col';
		return cell;
	}));
	const body = lines.map((line) => make('tr', '', line.map((value, number) =>
		make('td', titles[number].style, value))));
	return make('table', 'plain-table', make('caption', 'unseen', caption),
		make('thead', '', head), make('tbody', '', body));
}

function rates(one) {
	if (!one.rates?.length)
		return null;
	const sorted = [...one.rates].sort((a, b) => Number(a.rate) - Number(b.rate));
	return make('section', '', make('h3', '', 'Rates'), plainTable('Rates',
		[{ text: 'Carrier' }, { text: 'Service' }, { text: 'Days', style: 'number' },
			{ text: 'Price', style: 'number' }],
		sorted.map((rate) => [
			[rate.carrier ?? '', rate.id && rate.id === one.selected_rate_id
				? make('span', 'status', 'bought') : null],
			rate.service ?? '',
			rate.delivery_days ?? unknown('not promised'),
			rate.rate == null ? unknown('not known')
				: format.money(String(rate.rate), rate.currency ?? one.currency)])));
}

function customs(one) {
	const info = one.customs_info;
	if (!info)
		return null;
	const items = Array.isArray(info.customs_items) ? info.customs_items : [];
	return make('section', '', make('h3', '', 'Customs'),
		make('p', 'quiet', [info.contents_type && format.words(info.contents_type),
			info.contents_explanation, info.eel_pfc].filter(Boolean).join(' · ')),
		items.length ? plainTable('Customs items',
			[{ text: 'What' }, { text: 'Number', style: 'number' },
				{ text: 'Value', style: 'number' }],
			items.map((item) => [item.description ?? '',
				item.quantity ?? unknown('not known'),
				item.value == null ? unknown('not known')
					: format.money(String(item.value), item.currency ?? 'USD')]))
			: null);
}

function links(one) {
	const label = /^https:\/\//.test(one.label_url ?? '')
		? link(one.label_url, 'Label') : null;
	if (label) {
		label.target = '_blank';
		label.rel = 'noopener noreferrer';
	}
	return make('p', 'links', label, ' ',
		link(`/db/shipments/${encodeURIComponent(one.id)}`, 'As JSON'));
}

export function drawShipment(one) {
	setText(at('shipment-title'), one.tracking_code ?? one.reference
		?? one.easypost_id ?? one.id);
	show(at('shipment-body'), one, () => [
		facts(one),
		make('section', '', make('h3', '', 'Timeline'), timeline(one.events)),
		make('div', 'addresses', address('From', one.from_address),
			address('To', one.to_address), address('Return to', one.return_address)),
		rates(one), customs(one), links(one)]);
}

export function missShipment(error) {
	setText(at('shipment-title'), 'No such shipment');
	show(at('shipment-body'), error.message, () => nothing(
		'There is no shipment with this id or tracking code, or it was deleted.'));
}

// Opens the panel of a shipment, or closes it (null).
export function openShipment(id) {
	const dialog = at('shipment-panel');
	if (id === null) {
		panel.id = null;
		if (dialog.open)
			dialog.close();
		return;
	}
	if (panel.id !== id) {
		panel.id = id;
		setText(at('shipment-title'), 'Shipment');
		forget(at('shipment-body'));
		at('shipment-body').replaceChildren(nothing('Looking ...'));
	}
	if (!dialog.open)
		dialog.showModal();
}
