// The gateway's health: the signs at the top, and what they mean below.
//
// What must stay true: what has not been told is a dash, never "ok".

import * as format from './format.js';
import { at, make, nothing, setText, show, unknown } from './dom.js';

const OBJECTS = ['shipment', 'tracker', 'address', 'refund', 'event'];
const DAYS = 30;
const REFRESH_LATE_MS = 2 * 3600 * 1000; // it runs each hour

const known = { health: null, days: null, event: null };

// { name, level: good, warn, bad or none, brief, text }
function databaseSign(health) {
	const database = health?.database;
	if (!database)
		return { level: 'none', brief: '–', text: 'not told' };
	if (health.recording === false)
		return { level: 'bad', brief: 'records nothing',
			text: 'No database is configured: what passes is not recorded.' };
	if (database.status !== 'ok')
		return { level: 'bad', brief: `database ${database.status}`,
			text: database.status === 'outdated'
				? 'The database is older than the gateway: run "waybill migrate up".'
				: 'The database is away. Records wait in the spool.' };
	return { level: 'good', brief: 'ok',
		text: `The database answers in ${format.decimal(database.latency_ms ?? 0)} ms.` };
}

// Events and jobs that could not be applied: [number, words].
function undone() {
	const background = known.health?.background;
	const events = background?.events?.failed ?? 0;
	const jobs = background?.jobs?.failed ?? 0;
	const words = [
		events ? `${format.plural(events, 'event', 'events')} could not be applied.` : '',
		jobs ? `${format.plural(jobs, 'job', 'jobs')} failed: "waybill jobs list" shows why.` : '',
	];
	return [events + jobs, words.filter(Boolean).join(' ')];
}

function syncSign() {
	const sign = databaseSign(known.health);
	const [failed, words] = undone();
	const last = known.health?.background?.events?.last_at ?? known.event;
	if (sign.level === 'good' && failed)
		return { name: 'Sync', level: 'bad', brief: `${format.count(failed)} failed`,
			text: words };
	if (sign.level === 'good' && last)
		sign.text += ` The newest event came ${format.age(
			Date.now() - Date.parse(last))} ago.`;
	return { name: 'Sync', ...sign };
}

function spoolSign() {
	const spool = known.health?.spool;
	if (!spool || spool.depth === null)
		return { name: 'Spool', level: 'none', brief: '–', text: 'The spool cannot be counted.' };
	if (spool.bad)
		return { name: 'Spool', level: 'bad', brief: `${format.count(spool.bad)} refused`,
			text: `${format.plural(spool.bad, 'record was', 'records were')} refused by the `
				+ 'database: "waybill spool" shows why.' };
	if (spool.depth)
		return { name: 'Spool', level: 'warn', brief: `${format.count(spool.depth)} waiting`,
			text: `${format.plural(spool.depth, 'record waits', 'records wait')} for the database.` };
	return { name: 'Spool', level: 'good', brief: 'empty', text: 'Nothing waits.' };
}

// Figures are counted as shipments change; each hour some of their days are compared
// with a count from the beginning, and all of 90 once a day.
function refreshSign() {
	const figures = known.health?.background?.figures;
	if (!figures || figures.compared_at === null)
		return { name: 'Refresh', level: 'none', brief: '–',
			text: figures ? 'The figures have not been compared with a new count yet.'
				: 'The database does not say.' };
	const since = Date.now() - Date.parse(figures.compared_at);
	const brief = `${format.age(since)} ago`;
	if (figures.drift > 0)
		return { name: 'Refresh', level: 'bad', brief: `${format.count(figures.drift)} repaired`,
			text: `${format.plural(figures.drift, 'sum was', 'sums were')} found wrong and `
				+ `repaired in the last day; compared ${brief}.` };
	return { name: 'Refresh', level: since > REFRESH_LATE_MS ? 'warn' : 'good', brief,
		text: 'Some of the last 90 days are counted anew each hour, all of them once a '
			+ `day: what was compared at ${
				format.moment(figures.compared_at)} was right.` };
}

function completeSign() {
	const days = known.days;
	if (!days || days.length === 0)
		return { name: 'Completeness', level: 'none', brief: '–',
			text: '"waybill reconcile" has not compared EasyPost\'s lists yet.' };
	const dates = [...new Set(days.map((one) => one.day))].slice(0, DAYS);
	const whole = dates.filter((date) => days.every(
		(one) => one.day !== date || one.is_complete));
	return { name: 'Completeness',
		level: whole.length === dates.length ? 'good' : 'warn',
		brief: `${format.count(whole.length)} of ${format.plural(dates.length, 'day', 'days')}`,
		text: whole.length === dates.length
			? 'All that EasyPost lists of these days is here.'
			: `${format.plural(dates.length - whole.length, 'day is', 'days are')} not `
				+ 'complete, or not yet compared to the end.' };
}

const LEVELS = { good: 'good', warn: 'attention', bad: 'trouble', none: 'not known' };

function drawSigns() {
	const signs = { sync: syncSign(), spool: spoolSign(), refresh: refreshSign(),
		complete: completeSign() };
	for (const [id, sign] of Object.entries(signs)) {
		const element = at(`sign-${id}`);
		element.className = sign.level;
		element.title = sign.text;
		show(element, sign, () => [make('span', 'mark'), make('span', 'unseen',
			`${LEVELS[sign.level]}: `), `${sign.name} `, make('b', '', sign.brief)]);
	}
	show(at('health'), signs, () => Object.values(signs).flatMap((sign) => [
		make('dt', '', sign.name),
		make('dd', sign.level, make('span', 'mark'), sign.level === 'none'
			? [unknown(sign.text), ' '] : '', sign.text)]));
}

function ledgerCell(date, object, one) {
	const cell = make('td', one ? one.is_complete ? 'good' : 'warn' : 'none');
	const numbers = one ? `${one.database_count === null ? '–'
		: format.count(one.database_count)} of ${one.easypost_count === null ? '–'
		: format.count(one.easypost_count)}` : 'not compared';
	const words = `${format.day(date)}, ${object}: ${numbers}${
		one?.missing ? `, ${format.count(one.missing)} missing` : ''}${
		one?.error ? `, ${one.error}` : ''}`;
	cell.title = words;
	cell.append(make('span', 'square'), make('span', 'unseen', one?.is_complete
		? `complete, ${numbers}` : `not complete, ${numbers}`));
	return cell;
}

function ledgerTable(days) {
	const dates = [...new Set(days.map((one) => one.day))].slice(0, DAYS).reverse();
	const found = new Map(days.map((one) => [`${one.day} ${one.object}`, one]));
	const objects = OBJECTS.filter((object) => days.some((one) => one.object === object));
	const head = make('tr', '', make('th', 'unseen', 'Kind'), dates.map((date) => {
		const cell = make('th', '', make('span', 'unseen', format.day(date)));
		cell.scope = 'col';
		return cell;
	}));
	const lines = objects.map((object) => {
		const title = make('th', '', `${format.words(object)}s`.replace('Addresss',
			'Addresses'));
		title.scope = 'row';
		return make('tr', '', title, dates.map((date) => ledgerCell(date, object,
			found.get(`${date} ${object}`))));
	});
	return [make('table', 'squares',
		make('caption', '', `What EasyPost lists is here, ${
			format.daySpan(dates[0], dates.at(-1))}`),
		make('thead', 'unseen', head), make('tbody', '', lines))];
}

export function drawHealth(health) {
	known.health = health;
	setText(at('version'), health.version ? `Version ${health.version}` : '');
	drawSigns();
}

export function drawLedger(data) {
	known.days = data.days;
	drawSigns();
	show(at('ledger'), data.days, () => data.days.length ? ledgerTable(data.days)
		: nothing('Every night "waybill reconcile" compares EasyPost\'s lists with the '
			+ 'database; its days appear here.'));
}

export function noteEvent(time) {
	known.event = time;
	drawSigns();
}
