// Bars over time: volume (delivered, failed, the rest) and cost, a small chart for
// each currency.  Up to 120 days a bar is a day, beyond that seven days.
//
// What must stay true: what the picture says is beside it as a table.

import uPlot from './vendor/uplot/uPlot.esm.js';
import * as format from './format.js';
import { at, forget, link, make, nothing, setText, show, Table, unknown } from './dom.js';
import { listAddress, go } from './place.js';

const HEIGHT = 190;
const X_SIZE = 30; // of the axis with the days
const DAYS_MAX = 120; // as bars of their own
const CURRENCIES_MAX = 3; // as charts; the table has all
const DAY_S = 86400;
const INTEGERS = [1, 2, 5].flatMap((one) => [one, one * 10, one * 100, one * 1e3,
	one * 1e4, one * 1e5, one * 1e6]).sort((a, b) => a - b);

const colour = (name) =>
	getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const secondsOf = (date) => Date.parse(`${date}T00:00:00Z`) / 1000;

// --- what is drawn -------------------------------------------------------------

// Days, or weeks that end with the last day; what is left of the oldest is left out.
function bucketsOf(trends) {
	const size = trends.length > DAYS_MAX ? 7 : 1;
	const buckets = [];
	for (let end = trends.length; end - size >= 0; end -= size)
		buckets.unshift(bucketOf(trends.slice(end - size, end)));
	return buckets;
}

// Costs by currency; the one that nobody told is ''.
const keyOf = (cost) => cost.currency ?? '';

function bucketOf(days) {
	const total = (name) => days.reduce((sum, one) => sum + (one[name] ?? 0), 0);
	const amounts = {};
	for (const one of days.flatMap((each) => each.costs ?? []))
		if (one.total_cost !== null)
			(amounts[keyOf(one)] ??= []).push(one.total_cost);
	return {
		from: days[0].date, to: days.at(-1).date,
		count: total('count'), delivered: total('delivered'),
		failed: total('failed'),
		costs: Object.fromEntries(Object.entries(amounts).map(
			([currency, all]) => [currency, format.sum(all)])),
	};
}

function nameOf(bucket, last) {
	const soFar = bucket.to === last ? ', today so far' : '';
	if (bucket.from === bucket.to)
		return format.weekday(bucket.from) + soFar;
	return format.daySpan(bucket.from, bucket.to) + soFar;
}

// --- the picture -----------------------------------------------------------------

class Bars {
	// series: [{ colour, values(buckets) }], the tallest first.
	constructor(element, options) {
		Object.assign(this, { element, options, buckets: [], key: '' });
		this.watch = new ResizeObserver(() => this.resize());
		this.watch.observe(element);
		element.addEventListener('click', () => this.open());
	}

	draw(buckets) {
		this.buckets = buckets;
		const data = [buckets.map((one) => secondsOf(one.from)),
			...this.options.series.map((one) => one.values(buckets))];
		const key = `${buckets.length} ${buckets[0]?.to} ${this.element.clientWidth}`;
		if (this.plot && this.key === key) {
			this.plot.setData(data);
			return;
		}
		this.key = key;
		this.plot?.destroy();
		this.plot = null;
		if (buckets.length && this.element.clientWidth)
			this.plot = new uPlot(this.settings(), data, this.element);
	}

	redraw() {
		this.key = '';
		this.draw(this.buckets);
	}

	resize() {
		if (this.plot && this.plot.width !== this.element.clientWidth)
			this.redraw();
		else if (!this.plot && this.buckets.length)
			this.draw(this.buckets);
	}

	remove() {
		this.watch.disconnect();
		this.plot?.destroy();
		this.element.remove();
	}

	open() {
		const bucket = this.buckets[this.plot?.cursor.idx];
		if (bucket)
			go(listAddress({ date_from: bucket.from, date_to: bucket.to }));
	}

	settings() {
		const step = this.buckets.length > 1
			? secondsOf(this.buckets[1].from) - secondsOf(this.buckets[0].from)
			: DAY_S;
		const { series, height, values, hasDays } = this.options;
		const quiet = colour('--quiet');
		const grid = { stroke: colour('--grid'), width: 1 };
		const font = `12px ${getComputedStyle(document.body).fontFamily}`;
		return {
			width: this.element.clientWidth,
			height,
			padding: [10, 14, hasDays ? 0 : 6, 0],
			tzDate: (seconds) => uPlot.tzDate(new Date(1000 * seconds), 'UTC'),
			legend: { show: false },
			cursor: { y: false, drag: { x: false, y: false, setScale: false },
				points: { show: false } },
			scales: {
				x: { time: true, range: (_, least, most) =>
					[least - step / 2, most + step / 2] },
				y: { range: (_, least, most) => [0, most > 0 ? most * 1.05 : 1] },
			},
			axes: [
				{ show: hasDays, stroke: quiet, font, size: X_SIZE, gap: 8, space: 64,
					grid: { show: false }, ticks: { show: false },
					values: (_, splits, axis, space, step_s) => splits.map((one) => {
						const date = new Date(1000 * one).toISOString().slice(0, 10);
						return step_s >= 28 * DAY_S ? format.month(date)
							: format.shortDay(date);
					}) },
				{ stroke: quiet, font, grid, ticks: { show: false }, gap: 6, space: height < 90 ? 20 : 34,
					incrs: this.options.incrs,
					size: (self, texts) => Math.max(this.options.sizeMin ?? 0,
						12 + Math.ceil(widthOf(texts, font))),
					values: (_, splits) => splits.map(values) },
			],
			series: [{}, ...series.map((one) => ({
				fill: colour(one.colour), width: 0, points: { show: false },
				paths: uPlot.paths.bars({ size: [0.78, 36], radius: 0 }),
			}))],
			hooks: { setCursor: [(self) => this.options.told(
				this.buckets[self.cursor.idx] ?? null)] },
		};
	}
}

let ruler;
function widthOf(texts, font) {
	ruler ??= document.createElement('canvas').getContext('2d');
	ruler.font = font;
	return Math.max(18, ...(texts ?? []).map(
		(text) => ruler.measureText(text).width));
}

// --- the two charts ------------------------------------------------------------------

const charts = []; // all that are drawn

function swatch(name, text) {
	return make('span', 'key', make('span', `swatch ${name}`), text);
}

function volumeReadout(bucket, data) {
	const summary = data.summary;
	const figures = bucket ?? { count: summary.total_shipments,
		delivered: summary.delivered_count, failed: summary.failed_count };
	const text = (number) => number === null ? '–' : format.count(number);
	show(at('volume-readout'), [bucket, figures], () => [
		make('span', 'when', bucket ? nameOf(bucket, data.date_to)
			: 'Altogether'),
		swatch('other', `${text(figures.count)} shipments, of these`),
		swatch('delivered', `${text(figures.delivered)} delivered`),
		swatch('failed', `${text(figures.failed)} failed`)]);
}

function costReadout(bucket, data) {
	const costs = bucket ? bucket.costs : Object.fromEntries(
		data.summary.costs.filter((one) => one.total_cost !== null)
			.map((one) => [keyOf(one), one.total_cost]));
	const texts = Object.entries(costs).map(
		([currency, amount]) => format.money(amount, currency));
	show(at('cost-readout'), [bucket, texts], () => [
		make('span', 'when', bucket ? nameOf(bucket, data.date_to)
			: 'Altogether'),
		...texts.length ? texts.map((text) => make('span', 'key', text))
			: [make('span', 'key', unknown('no cost is known'),
				' no cost is known')]]);
}

let shownData = null; // the last answer
let volume = null;
let costs = []; // { currency, chart }

function drawVolume(data, buckets) {
	const element = at('volume');
	volume ??= new Bars(element, {
		height: HEIGHT, hasDays: true, incrs: INTEGERS, values: format.compact,
		series: [
			{ colour: '--other', values: (all) => all.map((one) => one.count) },
			{ colour: '--failed', values: (all) => all.map(
				(one) => one.delivered + one.failed) },
			{ colour: '--delivered', values: (all) => all.map(
				(one) => one.delivered) },
		],
		told: (bucket) => volumeReadout(bucket, shownData),
	});
	if (!charts.includes(volume))
		charts.push(volume);
	volume.draw(buckets);
	element.setAttribute('role', 'img');
	element.setAttribute('aria-label', `Shipments over time, ${
		data.summary.total_shipments ?? 'an unknown number'} altogether. `
		+ 'The same is below as a table.');
	volumeReadout(null, data);
}

function drawCosts(data, buckets) {
	const element = at('cost');
	const currencies = data.summary.costs.map(keyOf).slice(0, CURRENCIES_MAX);
	if (costs.map((one) => one.currency).join() !== currencies.join()) {
		for (const one of costs) {
			one.chart.remove();
			charts.splice(charts.indexOf(one.chart), 1);
		}
		element.replaceChildren();
		costs = currencies.map((currency, number) =>
			({ currency, chart: costChart(element, currency, number,
				currencies.length) }));
	}
	if (currencies.length === 0)
		show(element, 'nothing', () => nothing('No cost is known yet.'));
	else
		forget(element);
	for (const one of costs)
		one.chart.draw(buckets);
	element.setAttribute('role', 'img');
	element.setAttribute('aria-label', currencies.length
		? `Cost over time in ${currencies.map((one) => one || 'an unknown currency')
			.join(', ')}. The same is below as a table.`
		: 'Cost over time: no cost is known.');
	costReadout(null, data);
}

function costChart(element, currency, number, all) {
	const box = make('div', 'multiple');
	element.append(box);
	const hasDays = number === all - 1;
	const room = (HEIGHT - X_SIZE) / all;
	const chart = new Bars(box, {
		height: Math.floor(room) + (hasDays ? X_SIZE : 0), hasDays,
		sizeMin: all > 1 ? 64 : 0, // so that days stand below days
		values: (amount) => format.moneyBrief(amount, currency),
		series: [{ colour: '--cost', values: (buckets) => buckets.map(
			(one) => currency in one.costs ? Number(one.costs[currency]) : null) }],
		told: (bucket) => costReadout(bucket, shownData),
	});
	charts.push(chart);
	return chart;
}

// --- the tables --------------------------------------------------------------------------

function dayLink(day) {
	return link(listAddress({ date_from: day.date, date_to: day.date }),
		format.weekday(day.date));
}

const tables = {
	volume: new Table('Shipments by day (UTC)', [
		{ title: 'Day', cell: dayLink },
		{ title: 'Shipments', style: 'number', cell: (day) => format.count(day.count) },
		{ title: 'Delivered', style: 'number', cell: (day) => format.count(day.delivered) },
		{ title: 'Failed', style: 'number', cell: (day) => format.count(day.failed) },
	]),
	cost: new Table('Cost by day (UTC)', [
		{ title: 'Day', cell: dayLink },
		{ title: 'Cost', style: 'number', cell: (day) => day.costs?.length
			? day.costs.map((one) => make('div', '',
				format.money(one.total_cost, one.currency)))
			: unknown(day.count ? 'no cost is known' : 'no shipment') },
	]),
};

// Only when it is open: a year has 365 rows.
function fillTables() {
	for (const [name, table] of Object.entries(tables)) {
		const details = at(`${name}-table`);
		if (!details.open || !shownData)
			continue;
		const box = details.querySelector('.scroll');
		if (!box.contains(table.element))
			box.replaceChildren(table.element);
		table.show(shownData.shipment_trends.toReversed?.()
			?? [...shownData.shipment_trends].reverse(), (day) => day.date);
	}
}

export function drawCharts(data) {
	shownData = data;
	const buckets = bucketsOf(data.shipment_trends);
	const isWeeks = data.shipment_trends.length > DAYS_MAX;
	setText(at('volume-unit'), isWeeks ? 'Shipments a week (UTC), the last one ends today'
		: 'Shipments a day (UTC)');
	setText(at('cost-unit'), isWeeks ? 'A week (UTC), the last one ends today'
		: 'A day (UTC)');
	drawVolume(data, buckets);
	drawCosts(data, buckets);
	fillTables();
}

export function prepareCharts() {
	const redraw = () => charts.forEach((one) => one.redraw());
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
	matchMedia('print').addEventListener('change', redraw);
	for (const name of Object.keys(tables))
		at(`${name}-table`).addEventListener('toggle', fillTables);
}
