// Talking to the gateway: the session's cookie goes with every request, and what
// has not changed is not sent again.

const KINDS = { reload: "no-cache", credentials: "same-origin" };

export class Refused extends Error {
	constructor(status, message, retryAfter) {
		super(message);
		this.status = status;
		this.retryAfter = retryAfter;
	}
}

async function refusal(answer) {
	let message = answer.statusText;
	try {
		message = (await answer.json()).error.message;
	} catch { /* not ours: the status must do */ }
	return new Refused(answer.status, message, Number(answer.headers.get("Retry-After")) || 0);
}

// The data of an answer; throws Refused, or TypeError when nobody is there.
export async function get(path, signal) {
	const answer = await fetch(path, { cache: KINDS.reload, credentials: KINDS.credentials, signal });
	if (!answer.ok)
		throw await refusal(answer);
	return (await answer.json()).data;
}

export async function send(method, path, body) {
	const answer = await fetch(path, {
		method,
		credentials: KINDS.credentials,
		headers: body ? { "Content-Type": "application/json" } : {},
		body: body && JSON.stringify(body),
	});
	if (!answer.ok)
		throw await refusal(answer);
	return answer.status === 204 ? null : (await answer.json()).data;
}

// Asks for a path again and again and tells of it when it is new.  Nothing is asked
// while the page is hidden; after a failure the pauses double, up to a minute.
export class Poll {
	constructor(path, seconds, { onData, onState }) {
		Object.assign(this, { path, seconds, onData, onState, etag: null, timer: 0, failures: 0 });
		this.wake = () => document.hidden ? this.pause() : this.ask();
		document.addEventListener("visibilitychange", this.wake);
		if (!document.hidden)
			this.ask();
	}

	stop() {
		document.removeEventListener("visibilitychange", this.wake);
		this.pause();
	}

	pause() {
		clearTimeout(this.timer);
		this.asking?.abort();
		this.asking = null;
	}

	async ask() {
		this.pause();
		const asking = this.asking = new AbortController();
		const limit = setTimeout(() => asking.abort(), 20000);
		try {
			const answer = await fetch(this.path, {
				cache: "no-store",
				credentials: KINDS.credentials,
				headers: this.etag ? { "If-None-Match": this.etag } : {},
				signal: asking.signal,
			});
			if (answer.status !== 304 && !answer.ok)
				throw await refusal(answer);
			if (answer.status !== 304) {
				const data = (await answer.json()).data;
				if (this.asking !== asking)
					return;
				this.etag = answer.headers.get("ETag");
				this.onData(data);
			}
			this.failures = 0;
			this.onState(null);
		} catch (error) {
			if (this.asking !== asking)
				return; // somebody else asks already, or nobody wants to know
			this.failures++;
			this.onState(error);
		} finally {
			clearTimeout(limit);
		}
		const pause = Math.min(60, this.seconds * 2 ** this.failures);
		this.timer = setTimeout(() => this.ask(), 1000 * pause);
	}
}
