// Talks to the gateway: single requests, and a loop that asks again and again.
//
// What must stay true: the key goes into one body and nowhere else (the cookie
// that comes back is out of a script's reach); an answer that has not changed
// changes nothing; nobody is asked while nobody looks.  An answer may be a second old:
// that is how long the server keeps one that many pages of a session ask for.

const TIMEOUT_MS = 20000;
export const ROUND_MS = 1000;
const RETRY_MS = 2000;
const PAUSE_MAX_MS = 60000;

export class Refusal extends Error {
	constructor(status, body, retryAfter) {
		super(body?.error?.message ?? `The gateway answered with status ${status}.`);
		this.status = status;
		this.code = body?.error?.code;
		this.requestId = body?.request_id;
		this.retryAfterMs = 1000 * (Number(retryAfter) || 0);
	}
}

async function ask(path, options = {}) {
	const limit = AbortSignal.timeout?.(TIMEOUT_MS);
	const signals = [limit, options.signal].filter(Boolean);
	const answer = await fetch(path, { credentials: 'same-origin', ...options,
		signal: AbortSignal.any ? AbortSignal.any(signals) : options.signal });
	if (answer.status === 304)
		return { isSame: true };
	if (answer.status === 204)
		return { data: null };
	let body = null;
	try {
		body = await answer.json();
	} catch (error) {
		if (answer.ok)
			throw error;
	}
	if (!answer.ok)
		throw new Refusal(answer.status, body, answer.headers.get('Retry-After'));
	return { data: body.data, etag: answer.headers.get('ETag') };
}

export const session = {
	look: async () => (await ask('session')).data,
	begin: async (key) => (await ask('session', { method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ key }) })).data,
	end: async () => ask('session', { method: 'DELETE' }),
};

export const read = async (path) => (await ask(path)).data;

// Asks for what is due, each second; after a failure later and later.
//
// A source: { path() (null: nothing to ask), every (ms), show(data), leads, follows }.
// What follows is asked for at once when something that leads has changed, so that
// most of what is shown costs nothing while nothing happens.
// told: { good(), bad(error, retryAt), refused() (401) }.
export class Loop {
	constructor(sources, told) {
		this.sources = sources;
		this.told = told;
		this.failures = 0;
		this.isOn = false;
		this.timer = undefined;
		this.abort = null;
		this.isNews = false;
		document.addEventListener('visibilitychange', () => this.look());
		window.addEventListener('online', () => this.look());
		window.addEventListener('pageshow', () => this.look());
	}

	start() {
		this.isOn = true;
		this.failures = 0;
		this.look();
	}

	stop() {
		this.isOn = false;
		this.rest();
	}

	// Another period, another panel, somebody who is back: now, not in a while.
	look() {
		this.rest();
		for (const one of this.sources)
			one.askedAt = -Infinity;
		if (this.isOn && !document.hidden)
			this.round();
	}

	rest() {
		clearTimeout(this.timer);
		this.abort?.abort();
		this.abort = null;
	}

	async round() {
		const abort = this.abort = new AbortController();
		const begin = performance.now();
		const due = this.sources.filter((one) => this.isDue(one, begin));
		const results = await Promise.allSettled(due.map(
			(one) => this.askFor(one, abort.signal)));
		if (abort.signal.aborted)
			return;
		this.abort = null;
		const errors = results.filter((one) => one.status === 'rejected')
			.map((one) => one.reason);
		if (errors.some((one) => one.status === 401)) {
			this.stop();
			this.told.refused();
			return;
		}
		const spent = performance.now() - begin;
		let pause = Math.max(100, ROUND_MS - spent);
		if (errors.length === 0) {
			this.failures = 0;
			this.follow();
			this.told.good();
			// An answer may make others possible: what mode there is.
			if (this.sources.some((one) => one.path() !== null
				&& (one.path() !== one.asked || one.isStale)))
				pause = 0;
		} else {
			pause = Math.min(PAUSE_MAX_MS, RETRY_MS * 2 ** this.failures);
			pause = Math.max(pause, ...errors.map((one) => one.retryAfterMs ?? 0));
			this.failures++;
			this.told.bad(errors[0], Date.now() + pause);
		}
		this.timer = setTimeout(() => this.round(), pause);
	}

	follow() {
		if (this.isNews)
			for (const one of this.sources)
				one.isStale ||= Boolean(one.follows);
		this.isNews = false;
	}

	isDue(source, now) {
		const path = source.path();
		return path !== null && (path !== source.asked || source.isStale
			|| now - source.askedAt >= source.every - 50);
	}

	async askFor(source, signal) {
		const path = source.path();
		// Else a browser would say max-age=0 or no-cache beside If-None-Match.  Its own
		// cache is of no use: one that is given up can fail the next of the same path.
		const headers = { 'Cache-Control': 'max-age=1' };
		if (path === source.asked && source.etag)
			headers['If-None-Match'] = source.etag;
		const askedAt = performance.now();
		let answer;
		try {
			answer = await ask(path, { headers, signal, cache: 'no-store' });
		} catch (error) {
			// What does not exist (any more) or cannot be asked for is told in its
			// place, and is no lost connection.
			if ([400, 404].includes(error.status) && source.missing) {
				Object.assign(source, { asked: path, askedAt, etag: null,
					isStale: false });
				source.missing(error);
				return;
			}
			source.isStale = !signal.aborted;
			throw error;
		}
		if (signal.aborted || path !== source.path())
			return;
		const isSame = answer.isSame || (path === source.asked
			&& answer.etag !== null && answer.etag === source.etag);
		Object.assign(source, { asked: path, askedAt, isStale: false,
			etag: answer.isSame ? source.etag : answer.etag });
		if (!isSame) {
			this.isNews ||= Boolean(source.leads);
			source.show(answer.data);
		}
	}
}
