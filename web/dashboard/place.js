// Where the visitor is: the period and the mode in the query, an open panel behind
// the #.  `#shipment=ID` is one shipment, `#list&status=failure` a list.
//
// What must stay true: each view has an address, and "back" leads to the one before.

export const PERIODS = [7, 30, 90, 365];
export const MODES = ['production', 'test'];
// An empty one of these asks for what lacks it; of the others it is none.
export const ROUTE = ['from_city', 'from_state', 'from_country', 'to_city', 'to_state',
	'to_country'];
export const FILTERS = ['q', 'status', 'carrier', 'service', 'date_from', 'date_to',
	'late', 'failed', ...ROUTE];

const isGiven = (name, value) => Boolean(value)
	|| (value === '' && ROUTE.includes(name));

export function place() {
	const query = new URLSearchParams(location.search);
	const panel = new URLSearchParams(location.hash.slice(1));
	const days = Number(query.get('days'));
	const list = panel.has('list') ? Object.fromEntries(FILTERS
		.filter((name) => isGiven(name, panel.get(name)))
		.map((name) => [name, panel.get(name)])) : null;
	return {
		days: PERIODS.includes(days) ? days : 30,
		mode: MODES.includes(query.get('mode')) ? query.get('mode') : null,
		shipment: panel.get('shipment') || null,
		list,
	};
}

// The address of a list.
export function listAddress(filters) {
	const query = new URLSearchParams();
	for (const name of FILTERS)
		if (isGiven(name, filters[name]))
			query.set(name, filters[name]);
	const text = query.toString();
	return `#list${text ? `&${text}` : ''}`;
}

export const shipmentAddress = (id) => `#shipment=${encodeURIComponent(id)}`;

let follow; // what to do when the place is another one

export function onMove(what) {
	follow = what;
	window.addEventListener('popstate', () => follow());
	document.addEventListener('click', (event) => {
		const link = event.target.closest?.('a[href^="#"]');
		if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey
			|| event.metaKey || event.shiftKey || event.altKey)
			return;
		event.preventDefault();
		go(link.getAttribute('href'));
	});
}

// Leads to a panel, so that "back" leads here again.
export function go(hash) {
	const depth = (history.state?.depth ?? 0) + 1;
	history.pushState({ depth }, '', hash);
	follow();
}

// Changes the address of what is open already.
export function amend(hash) {
	history.replaceState(history.state, '', hash);
	follow();
}

// Out of a panel: to where it was opened, or to the page.
export function leave() {
	if (history.state?.depth)
		history.back();
	else
		amend(location.pathname + location.search);
}

export function choose(name, value) {
	const query = new URLSearchParams(location.search);
	query.set(name, value);
	amend(`?${query}${location.hash}`);
}
