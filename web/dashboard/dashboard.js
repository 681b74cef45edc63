// The page: who looks, what is asked for, what is shown where.
//
// What must stay true: without a session there are no figures, and with one that
// has ended there are still those that were shown; the key is in no address and in
// no storage.

import { Loop, ROUND_MS, session } from './api.js';
import * as format from './format.js';
import { at, link, make, setText, show } from './dom.js';
import { choose, go, leave, listAddress, onMove, place } from './place.js';
import { drawCharts, prepareCharts } from './charts.js';
import { drawOverview } from './overview.js';
import { drawHealth, drawLedger, noteEvent } from './health.js';
import { drawList, drawPage, missPage, openPanel, panelPath, preparePanel, setCarriers,
	setMode } from './lists.js';
import { drawShipment, missShipment, openShipment, shipmentPath } from './shipment.js';

const SLOW_MS = 5000; // of lists that follow, for what only time changes
const HEALTH_MS = 15000;
const LEDGER_MS = 60000;
const RETRY_MS = 2000;
const PAUSE_MAX_MS = 60000;
const REVEAL_MS = 1500; // what has not come by then is drawn when it comes
const SAY_MS = 60000; // between two that are said of new rows

const now = {
	mode: null, // what is shown
	data: null, // the last figures
	goodAt: null, // when the last answer was good
	retryAt: null,
	error: null,
	total: null, // shipments of the mode, of all time
};

// --- what is asked for ------------------------------------------------------------

const ofMode = (path) => () => now.mode === null ? null : `${path}&mode=${now.mode}`;

const sources = [
	{ every: ROUND_MS, leads: true, show: showFigures, path: () => {
		const { days, mode } = place();
		return `/db/analytics/dashboard?days=${days}${mode ? `&mode=${mode}` : ''}`;
	} },
	{ every: SLOW_MS, follows: true, path: ofMode('/db/shipments?limit=8'), show: (data) => {
		now.total = data.pagination.total;
		say(drawList('recent', data.shipments, 'No shipment yet.', now.mode),
			'new shipment', 'new shipments');
		showWelcome();
	} },
	{ every: ROUND_MS, leads: true, path: ofMode('/db/events?limit=10'), show: (data) => {
		say(drawList('events', data.events, 'No event yet. They come with EasyPost\'s webhooks.',
			now.mode),
			'new event', 'new events');
		noteEvent(data.events[0]?.created_at ?? null);
	} },
	{ every: SLOW_MS, follows: true, path: ofMode('/db/shipments?limit=8&late=true'),
		show: (data) => drawList('late', data.shipments, 'Nothing is late.', now.mode) },
	{ every: SLOW_MS, follows: true, path: ofMode('/db/shipments?limit=8&failed=true'),
		show: (data) => drawList('failed', data.shipments, 'Nothing has failed.', now.mode) },
	{ every: ROUND_MS, path: panelPath, show: drawPage, missing: missPage },
	{ every: ROUND_MS, path: shipmentPath, show: drawShipment, missing: missShipment },
	{ every: HEALTH_MS, path: () => '/health', show: drawHealth },
	{ every: LEDGER_MS, path: ofMode('/db/completeness?limit=150'), show: drawLedger },
];

const loop = new Loop(sources, { good, bad, refused });

// --- figures ------------------------------------------------------------------------

function showFigures(data) {
	Object.assign(now, { data, mode: data.mode });
	setMode(data.mode);
	setCarriers(data.carrier_performance.map((one) => one.carrier));
	showChoices();
	drawOverview(data);
	drawCharts(data);
	at('main').classList.remove('waiting');
	at('late-all').href = listAddress({ late: 'true' });
	at('recent-all').href = listAddress({});
	at('failed-all').href = listAddress({ failed: 'true' });
	setText(at('as-of'), data.as_of ? `Data as of ${format.exactMoment(data.as_of)}`
		: 'Data as of –, nothing has been recorded yet');
	at('as-of').title = data.as_of ? format.exactTime(data.as_of) : '';
	showWelcome();
}

function showChoices() {
	for (const one of document.querySelectorAll('#period input'))
		one.checked = Number(one.value) === place().days;
	for (const one of document.querySelectorAll('#mode input'))
		one.checked = one.value === (place().mode ?? now.mode);
}

function copyable(text) {
	const button = make('button', 'plain', 'Copy');
	button.type = 'button';
	button.addEventListener('click', async () => {
		try {
			await navigator.clipboard.writeText(text);
			setText(button, 'Copied');
		} catch {
			setText(button, 'Not allowed');
		}
	});
	return make('p', 'copyable', make('code', '', text), ' ', button);
}

// The next step, where there is nothing to show yet.
function showWelcome() {
	const isEmpty = now.total === 0 && now.data?.summary.total_shipments === 0;
	const isQuiet = !isEmpty && now.data?.summary.total_shipments === 0;
	at('welcome').hidden = !isEmpty;
	at('notice').hidden = !isQuiet;
	if (isQuiet)
		setText(at('notice'), `No shipment in the last ${now.data.days} days. `
			+ 'A longer period shows older ones.');
	if (!isEmpty)
		return;
	const title = make('h2', '', now.mode === 'test' ? 'No test shipments yet'
		: 'No shipments yet');
	title.id = 'welcome-title';
	show(at('welcome'), now.mode, () => [title,
		make('ol', '',
			make('li', '', 'Point the base URL of your EasyPost client here; nothing else '
				+ 'changes. What passes appears on this page within two seconds.',
			copyable(`${location.origin}/v2`)),
			make('li', '', 'Give EasyPost this webhook, so that parcels report themselves.',
				copyable(`${location.origin}/webhooks/easypost`)),
			make('li', '', 'Fetch what EasyPost has from before, on the gateway\'s machine.',
				copyable('waybill backfill'))),
		make('p', 'quiet', link('../docs/', 'The interface'), ' shows every route.')]);
}

// --- the connection -------------------------------------------------------------------

let saidAt = 0;

// Rarely, for those who listen to the page.
function say(number, one, many) {
	if (number > 0 && Date.now() - saidAt > SAY_MS) {
		saidAt = Date.now();
		setText(at('said'), format.plural(number, one, many));
	}
}

function good() {
	if (now.error)
		setText(at('said'), 'Connected again');
	Object.assign(now, { error: null, retryAt: null, goodAt: Date.now() });
	if (sources.every((one) => one.path() === null || one.path() === one.asked))
		reveal();
	showConnection();
}

// The page appears at once and not part by part, so that nothing of it moves.
function reveal() {
	document.body.classList.remove('unread');
}

function bad(error, retryAt) {
	if (!now.error)
		setText(at('said'), 'Connection lost, trying again');
	Object.assign(now, { error, retryAt });
	if (!now.data) {
		at('notice').hidden = false;
		setText(at('notice'), error.status === undefined
			? 'The gateway cannot be reached.' : error.message);
	}
	reveal();
	showConnection();
}

function troubleWords(error) {
	if (error.status === undefined)
		return 'Connection lost, trying again';
	if (error.status === 429)
		return 'Asked too often, trying again';
	if (error.status === 403)
		return `Not allowed: ${error.message} Trying again`;
	return `The gateway cannot answer (${error.code ?? error.status}), trying again`;
}

function showConnection() {
	const element = at('connection');
	if (!now.error) {
		element.className = now.goodAt ? 'connection good' : 'connection';
		setText(at('connection-text'), now.goodAt ? 'Live' : 'Connecting');
		element.title = now.goodAt ? 'Asked each second' : '';
		return;
	}
	const wait = Math.max(0, Math.round((now.retryAt - Date.now()) / 1000));
	const shown = now.goodAt
		? `; shown is from ${format.age(Date.now() - now.goodAt)} ago` : '';
	element.className = 'connection bad';
	setText(at('connection-text'), `${troubleWords(now.error)} ${
		wait ? `in ${wait} s` : 'now'}${shown}`);
	element.title = now.error.requestId ? `request ${now.error.requestId}` : '';
}

// --- the session ------------------------------------------------------------------------

function askForKey(why) {
	setText(at('sign-in-why'), why);
	const dialog = at('sign-in');
	if (!dialog.open)
		dialog.showModal();
	at('key').focus();
}

function refused() {
	askForKey('The session has ended. What was shown is still here; sign in to go on.');
	setText(at('connection-text'), 'Signed out');
	at('connection').className = 'connection';
}

function begin(who) {
	document.body.classList.remove('signed-out');
	setText(at('who'), who.name);
	at('who').title = `${who.name}, ${who.mode}`;
	at('sign-in').close();
	for (const one of sources)
		one.isStale = one.asked !== undefined;
	showPlace();
	loop.start();
	setTimeout(reveal, REVEAL_MS);
}

async function signIn(event) {
	event.preventDefault();
	const key = at('key');
	const error = at('sign-in-error');
	const button = event.target.querySelector('button');
	setText(error, '');
	button.disabled = true;
	try {
		const who = await session.begin(key.value.trim());
		key.value = '';
		begin(who);
	} catch (reason) {
		setText(error, signInWords(reason));
		key.focus();
		key.select();
	} finally {
		button.disabled = false;
	}
}

function signInWords(reason) {
	if (reason.status === 401 || reason.status === 400)
		return 'This key is not known, was revoked, or may not read.';
	if (reason.status === 429)
		return `Too many tries. Please wait ${format.age(reason.retryAfterMs || 60000)}.`;
	if (reason.status === undefined)
		return 'The gateway cannot be reached. Please try again.';
	return `The gateway cannot sign you in now: ${reason.message}`;
}

async function signOut() {
	loop.stop();
	try {
		await session.end();
	} catch (reason) {
		if (reason.status !== 401) {
			loop.start();
			bad(reason, Date.now());
			return;
		}
	}
	// Nothing of what was shown stays behind.
	location.replace(location.pathname);
}

// --- panels -----------------------------------------------------------------------------

function showPlace() {
	if (at('sign-in').open)
		return; // it is shown when somebody has signed in
	const { days, mode, shipment, list } = place();
	showChoices();
	at('main').classList.toggle('waiting', now.data !== null && (days !== now.data.days
		|| (mode ?? now.data.mode) !== now.data.mode));
	if (mode && mode !== now.mode) {
		now.mode = mode;
		setMode(mode);
		now.total = null;
	}
	// A shipment opened from a list lies on it.
	if (shipment === null)
		openShipment(null);
	if (list !== null || shipment === null)
		openPanel(list);
	if (shipment !== null)
		openShipment(shipment);
	loop.look();
}

function preparePanels() {
	for (const dialog of document.querySelectorAll('dialog.panel')) {
		dialog.querySelector('.close').addEventListener('click', leave);
		dialog.addEventListener('cancel', (event) => {
			event.preventDefault();
			leave();
		});
		// Beside the panel: on what lies below it.
		dialog.addEventListener('pointerdown', (event) => {
			if (event.target === dialog && isOutside(dialog, event))
				leave();
		});
	}
	at('sign-in').addEventListener('cancel', (event) => event.preventDefault());
}

function isOutside(dialog, event) {
	const box = dialog.getBoundingClientRect();
	return event.clientX < box.left || event.clientX > box.right
		|| event.clientY < box.top || event.clientY > box.bottom;
}

function prepareKeys() {
	document.addEventListener('keydown', (event) => {
		const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(
			document.activeElement?.tagName ?? '');
		if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey
			&& !document.querySelector('dialog[open]')) {
			event.preventDefault();
			at('q').select();
			at('q').focus();
		}
	});
}

function prepare() {
	prepareCharts();
	preparePanel();
	preparePanels();
	prepareKeys();
	onMove(showPlace);
	at('sign-in-form').addEventListener('submit', signIn);
	at('sign-out').addEventListener('click', signOut);
	at('period').addEventListener('change', (event) => choose('days', event.target.value));
	at('mode').addEventListener('change', (event) => choose('mode', event.target.value));
	at('search').addEventListener('submit', (event) => {
		event.preventDefault();
		const q = at('q').value.trim();
		if (q)
			go(listAddress({ q }));
	});
	at('skip').addEventListener('click', (event) => {
		event.preventDefault();
		event.stopPropagation();
		at('main').focus();
	});
	setText(at('clocks'), `Times are in ${format.zone}; days of figures are UTC days.`);
	setInterval(showConnection, 1000);
	showChoices();
}

async function start(failures = 0) {
	try {
		const who = await session.look();
		if (who)
			begin(who);
		else
			askForKey('With a key of the gateway that may read.');
	} catch (reason) {
		if (reason.status === 401) {
			askForKey('With a key of the gateway that may read.');
			return;
		}
		const pause = Math.min(PAUSE_MAX_MS, RETRY_MS * 2 ** failures);
		bad(reason, Date.now() + pause);
		setTimeout(() => start(failures + 1), pause);
	}
}

prepare();
start();
