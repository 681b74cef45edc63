// The figures, the carriers and the routes.
//
// What must stay true: what is not known is a dash with its reason, and a rate
// has its sample beside it.

import * as format from './format.js';
import { at, link, make, nothing, setText, show, Table, unknown } from './dom.js';
import { listAddress, ROUTE } from './place.js';
import { UNDER_WAY } from './lists.js';

const SAMPLE_SMALL = 30;
const LATE_MAX = 1000; // beyond that it is not counted on
const ROUTE_DAYS = 90;
const DAY_MS = 24 * 3600 * 1000;

const REASONS = {
	onTime: 'no delivered shipment with a promised day yet',
	days: 'no delivered shipment yet',
	success: 'no shipment has ended yet',
	cost: 'no cost is known yet',
	count: 'not known',
};

// --- the tiles ------------------------------------------------------------------

function counted(number) {
	return number === null ? unknown(REASONS.count) : format.count(number);
}

// How a number of shipments has changed since the period before.
function countChange(now, before, days) {
	if (now === null || before === null || before === undefined)
		return null;
	if (before === 0)
		return now === 0 ? null : `none in the ${days} days before`;
	return `${format.changePercent((now - before) / before)} on the ${days} days before`;
}

function shareOf(number, total) {
	if (number === null || !total)
		return null;
	return `${format.rate(100 * number / total, total)} of ${
		format.count(total)}`;
}

function onTimeTile(summary, days) {
	const sample = summary.on_time_sample;
	if (summary.on_time_rate === null)
		return { value: unknown(REASONS.onTime), about: [REASONS.onTime] };
	const before = summary.previous?.on_time_rate;
	return {
		value: format.rate(summary.on_time_rate, sample),
		about: [`of ${format.count(sample)} delivered with a promise`,
			'without late ones under way',
			before == null || sample < SAMPLE_SMALL ? null
				: `${format.change(summary.on_time_rate - before)} points on the ${
					days} days before`],
	};
}

function speedTile(summary, days) {
	if (summary.delivery_days_p50 === null && summary.avg_delivery_days === null)
		return { value: unknown(REASONS.days), about: [REASONS.days] };
	const text = (number) => number === null ? '–' : format.decimal(number);
	const before = summary.previous?.avg_delivery_days;
	return {
		value: [text(summary.delivery_days_p50),
			make('small', '', ` median, ${text(summary.delivery_days_p90)} p90`)],
		about: [`mean ${text(summary.avg_delivery_days)} of ${
			format.count(summary.delivery_days_sample)}`,
		before == null || summary.avg_delivery_days === null ? null
			: `${format.change(summary.avg_delivery_days - before)} d on the ${
				days} days before`],
	};
}

function costTile(summary, days) {
	const costs = summary.costs ?? [];
	if (costs.length === 0)
		return { value: unknown(REASONS.cost), about: [REASONS.cost] };
	const before = summary.previous?.costs ?? [];
	return {
		value: costs.map((one) => make('span', 'amount',
			one.total_cost === null ? unknown(REASONS.cost)
				: format.money(one.total_cost, one.currency))),
		about: costs.map((one) => {
			const mean = one.avg_cost === null ? ''
				: `mean ${format.money(one.avg_cost, one.currency)} of ${
					format.count(one.cost_sample)}`;
			if (costs.length > 1)
				return mean;
			const past = before.find((each) => each.currency === one.currency);
			return [mean, past?.total_cost
				? countChange(Number(one.total_cost), Number(past.total_cost), days)
				: null];
		}).flat(),
	};
}

function tilesOf(data) {
	const { summary, attention, days } = data;
	const period = { date_from: data.date_from, date_to: data.date_to };
	const before = summary.previous ?? {};
	const total = summary.total_shipments;
	const late = attention?.late_count ?? null;
	return {
		shipments: { filters: period, value: counted(total),
			about: [summary.purchased_count === null ? null
				: `${format.count(summary.purchased_count)} with a label`,
			countChange(total, before.total_shipments, days)] },
		delivered: { filters: { ...period, status: 'delivered' },
			value: counted(summary.delivered_count),
			about: [shareOf(summary.delivered_count, total),
				countChange(summary.delivered_count, before.delivered_count, days)] },
		transit: { filters: { ...period, status: UNDER_WAY },
			value: counted(summary.in_transit_count),
			about: [shareOf(summary.in_transit_count, total),
				summary.cancelled_count === null ? null
					: `${format.count(summary.cancelled_count)} cancelled`] },
		late: { filters: { late: 'true' }, isBad: late > 0,
			value: late === null ? unknown(REASONS.count)
				: late > LATE_MAX ? `> ${format.count(LATE_MAX)}` : format.count(late),
			about: late === null ? [REASONS.count]
				: [late === 0 ? 'nothing is late' : 'promised day has passed',
					'of all time, not of the period'] },
		failed: { filters: { ...period, failed: 'true' },
			isBad: summary.failed_count > 0, value: counted(summary.failed_count),
			about: [summary.success_rate === null ? REASONS.success
				: `${format.rate(summary.success_rate, summary.success_sample)} of ${
					format.count(summary.success_sample)} ended well`,
			countChange(summary.failed_count, before.failed_count, days)] },
		ontime: { filters: { ...period, status: 'delivered' },
			...onTimeTile(summary, days) },
		speed: { filters: { ...period, status: 'delivered' },
			...speedTile(summary, days) },
		cost: { filters: period, ...costTile(summary, days) },
	};
}

function drawTiles(data) {
	for (const [name, tile] of Object.entries(tilesOf(data))) {
		const heading = at(`tile-${name}`);
		const element = heading.closest('.tile');
		heading.href = listAddress(tile.filters);
		element.classList.toggle('bad', Boolean(tile.isBad));
		const [value, about] = element.querySelectorAll('p');
		const lines = tile.about.filter(Boolean);
		show(value, [tile.value, [tile.value].flat().map(
			(one) => one.textContent ?? one)], () => tile.value);
		show(about, lines, () => lines.map((line) => make('span', '', line)));
	}
}

// --- carriers -----------------------------------------------------------------------

let period = {}; // of the last answer
let slowest = 1; // the longest p90 of all carriers

function onTimeCell(one) {
	if (one.on_time_rate === null)
		return unknown(REASONS.onTime);
	return [format.rate(one.on_time_rate, one.on_time_sample),
		make('span', 'second of', ` of ${format.count(one.on_time_sample)}`)];
}

function daysCell(one) {
	if (one.delivery_days_p50 === null || one.delivery_days_p90 === null)
		return unknown(REASONS.days);
	const range = make('span', 'range', make('span', 'reach'), make('span', 'half'));
	const share = (number) => `${Math.min(100, 100 * number / slowest)}%`;
	range.children[0].style.insetInlineStart = share(one.delivery_days_p50);
	range.children[0].style.width =
		share(one.delivery_days_p90 - one.delivery_days_p50);
	range.children[1].style.insetInlineStart = share(one.delivery_days_p50);
	range.setAttribute('aria-hidden', 'true');
	return [range, make('span', 'pair', `${format.decimal(one.delivery_days_p50)} / ${
		format.decimal(one.delivery_days_p90)}`),
	one.delivery_days_sample < SAMPLE_SMALL
		? make('span', 'second of', ` of ${format.count(one.delivery_days_sample)}`) : null];
}

// A mean says of how many it is, when these are few and not all that are counted.
function meanCell(costs, total) {
	const known = (costs ?? []).filter((one) => one.avg_cost !== null);
	if (known.length === 0)
		return unknown(REASONS.cost);
	return known.map((one) => make('div', '', format.money(one.avg_cost, one.currency),
		one.cost_sample < SAMPLE_SMALL && one.cost_sample !== total
			? make('span', 'second of', ` of ${format.count(one.cost_sample)}`) : null));
}

function meanDaysCell(one) {
	if (one.avg_delivery_days === null)
		return unknown(REASONS.days);
	const sample = one.delivery_days_sample ?? SAMPLE_SMALL;
	return [format.decimal(one.avg_delivery_days), sample < SAMPLE_SMALL
		? make('span', 'of', ` of ${format.count(sample)}`) : null];
}

function totalCell(costs) {
	const known = (costs ?? []).filter((one) => one.total_cost !== null);
	return known.length === 0 ? unknown(REASONS.cost) : known.map(
		(one) => make('div', '', format.money(one.total_cost, one.currency)));
}

const listed = (one, more, what) => link(listAddress(
	{ ...period, carrier: one.carrier, ...more }), what);
const delivered = { status: 'delivered' };

const carriers = new Table('Carriers compared', [
	{ title: 'Carrier', cell: (one) => listed(one, {}, one.carrier) },
	{ title: 'Shipments', style: 'number', cell: (one) =>
		listed(one, {}, format.count(one.total_shipments)) },
	{ title: 'Mean cost', style: 'number', cell: (one) =>
		listed(one, {}, meanCell(one.costs, one.total_shipments)) },
	{ title: 'Total cost', style: 'number total', cell: (one) =>
		listed(one, {}, totalCell(one.costs)) },
	{ title: 'On time', style: 'number', cell: (one) =>
		listed(one, delivered, onTimeCell(one)) },
	{ title: 'Days, median / p90', style: 'number days', cell: (one) =>
		listed(one, delivered, daysCell(one)) },
	{ title: 'Failed', style: 'number', cell: (one) =>
		listed(one, { failed: 'true' }, counted(one.failed_count)) },
]);

// What a rate is of, and the reasons of the dashes of a table, in words below it.
function legend(list) {
	const reasons = ['On time is of what was delivered with a promise: what is late and '
		+ 'still under way is not in it'];
	if (list.some((one) => one.on_time_rate === null))
		reasons.push(`On time –: ${REASONS.onTime}`);
	if (list.some((one) => one.delivery_days_p50 === null))
		reasons.push(`Days –: ${REASONS.days}`);
	if (list.some((one) => !one.costs?.length))
		reasons.push(`Cost –: ${REASONS.cost}`);
	return make('p', 'legend', `${reasons.join('. ')}.`);
}

function drawCarriers(data) {
	const list = data.carrier_performance;
	period = { date_from: data.date_from, date_to: data.date_to };
	setText(at('carriers-period'), format.daySpan(data.date_from, data.date_to));
	const longest = Math.max(1, ...list.map((one) => one.delivery_days_p90 ?? 0));
	show(at('carriers'), [list, period], () => {
		if (list.length === 0)
			return nothing('No label was bought in this period.');
		slowest = longest;
		carriers.show([], (one) => one.carrier);
		carriers.isFresh = true;
		carriers.show(list, (one) => one.carrier);
		return [carriers.element, legend(list)];
	});
}

// --- routes --------------------------------------------------------------------------------

function town(one, side) {
	const city = one[`${side}_city`] || 'no city';
	const rest = [one[`${side}_state`], one[`${side}_country`]].filter(Boolean);
	return [city, rest.length ? make('span', 'of', ` ${rest.join(' ')}`) : null];
}

let routesFrom; // the first of their days

function routeList(one) {
	return listAddress({ date_from: routesFrom, ...Object.fromEntries(
		ROUTE.map((name) => [name, one[name]])) });
}

let busiest = 1;

function shareCell(one) {
	const bar = make('span', 'bar', make('span', ''));
	bar.firstChild.style.width = `${100 * one.shipment_count / busiest}%`;
	bar.setAttribute('aria-hidden', 'true');
	return [bar, link(routeList(one), format.count(one.shipment_count))];
}

const routes = new Table('Top routes of the last 90 days', [
	{ title: 'Route', cell: (one) => {
		const route = link(routeList(one), make('span', '', town(one, 'from')),
			make('span', 'arrow', ' → '), make('span', '', town(one, 'to')));
		return route;
	} },
	{ title: 'Shipments', style: 'number share', cell: shareCell },
	{ title: 'Mean days', style: 'number', cell: meanDaysCell },
	{ title: 'Mean cost', style: 'number', cell: (one) => meanCell(one.costs, one.shipment_count) },
]);

function drawRoutes(data) {
	const list = data.top_routes.slice(0, 10);
	routesFrom = new Date(Date.parse(data.date_to) - (ROUTE_DAYS - 1) * DAY_MS)
		.toISOString().slice(0, 10);
	show(at('routes'), [list, routesFrom], () => {
		if (list.length === 0)
			return nothing('No shipment has taken a route in the last 90 days.');
		busiest = Math.max(1, ...list.map((one) => one.shipment_count));
		routes.show([], (one) => one);
		routes.isFresh = true;
		routes.show(list, (one) => JSON.stringify([one.from_city, one.from_state,
			one.from_country, one.to_city, one.to_state, one.to_country]));
		return routes.element;
	});
}

export function drawOverview(data) {
	const text = `Shipments of the last ${data.days} days, ${
		format.daySpan(data.date_from, data.date_to)}`;
	setText(at('title'), text);
	drawTiles(data);
	drawCarriers(data);
	drawRoutes(data);
}
