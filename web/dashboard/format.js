// Numbers, money and times as the visitor writes them.  The words around them are
// English, as the page is.
//
// What must stay true: a figure that is not known is never written as 0, and
// money is added as decimals, one currency at a time.

const locales = navigator.languages?.length ? [...navigator.languages] : undefined;
const UTC = { timeZone: 'UTC' };

export const zone = new Intl.DateTimeFormat(locales).resolvedOptions().timeZone;

const whole = new Intl.NumberFormat(locales, { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat(locales, { maximumFractionDigits: 1 });
const brief = new Intl.NumberFormat(locales,
	{ notation: 'compact', maximumFractionDigits: 1 });
const percents = [0, 1].map((digits) => new Intl.NumberFormat(locales,
	{ style: 'percent', maximumFractionDigits: digits }));
const signed = new Intl.NumberFormat(locales,
	{ maximumFractionDigits: 1, signDisplay: 'exceptZero' });
const signedPercent = new Intl.NumberFormat(locales,
	{ style: 'percent', maximumFractionDigits: 0, signDisplay: 'exceptZero' });
const dayFormat = new Intl.DateTimeFormat(locales,
	{ ...UTC, year: 'numeric', month: 'short', day: 'numeric' });
const weekdayFormat = new Intl.DateTimeFormat(locales,
	{ ...UTC, weekday: 'short', year: 'numeric', month: 'short', day: 'numeric' });
const shortDayFormat = new Intl.DateTimeFormat(locales,
	{ ...UTC, month: 'short', day: 'numeric' });
const monthFormat = new Intl.DateTimeFormat(locales,
	{ ...UTC, month: 'short', year: '2-digit' });
const timeFormat = new Intl.DateTimeFormat(locales,
	{ month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' });
const fullTimeFormat = new Intl.DateTimeFormat(locales,
	{ dateStyle: 'medium', timeStyle: 'short' });
const exactTimeFormat = new Intl.DateTimeFormat(locales,
	{ dateStyle: 'full', timeStyle: 'long' });
const localDayFormat = new Intl.DateTimeFormat(locales,
	{ month: 'short', day: 'numeric' });
const hourFormat = new Intl.DateTimeFormat(locales,
	{ hour: 'numeric', minute: '2-digit' });
const clockFormat = new Intl.DateTimeFormat(locales,
	{ hour: 'numeric', minute: '2-digit', second: '2-digit' });

export const count = (number) => whole.format(number);
export const decimal = (number) => tenth.format(number);
export const compact = (number) => brief.format(number);
export const change = (number) => signed.format(number);
export const changePercent = (share) => signedPercent.format(share);

// 93.21 as "93.2 %"; of a small sample without decimals, which it cannot have.  What
// is not all is not shown as all, nor as nothing.
export function rate(number, sample) {
	const digits = sample < 100 ? 0 : 1;
	const least = 10 ** -digits;
	const shown = number > 0 && number < 100
		? Math.min(Math.max(number, least), 100 - least) : number;
	return percents[digits].format(shown / 100);
}

const moneys = new Map();

function moneyFormat(currency, isShort) {
	const key = `${currency} ${isShort}`;
	if (!moneys.has(key)) {
		const options = isShort ? { notation: 'compact',
			maximumFractionDigits: 1 } : {};
		let format = null;
		try {
			format = new Intl.NumberFormat(locales,
				{ style: 'currency', currency, ...options });
		} catch {
			// no currency that this browser has heard of
		}
		moneys.set(key, format);
	}
	return moneys.get(key);
}

// "10234.50", "USD": the string itself is formatted, no float of it.
export function money(amount, currency) {
	const format = moneyFormat(currency, false);
	return format ? format.format(amount) : `${amount} ${currency ?? ''}`.trim();
}

export function moneyBrief(amount, currency) {
	const format = moneyFormat(currency, true);
	return format ? format.format(amount) : brief.format(amount);
}

// The exact sum of decimal strings of one currency.
export function sum(amounts) {
	const digits = Math.max(0, ...amounts.map(
		(one) => (one.split('.')[1] ?? '').length));
	const total = amounts.reduce((found, one) => {
		const [big, small = ''] = one.split('.');
		return found + BigInt(big + small.padEnd(digits, '0'));
	}, 0n);
	if (digits === 0)
		return String(total);
	const text = String(total < 0n ? -total : total).padStart(digits + 1, '0');
	return `${total < 0n ? '-' : ''}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

const dateOf = (day) => new Date(`${day}T00:00:00Z`);

export const day = (date) => dayFormat.format(dateOf(date));
export const weekday = (date) => weekdayFormat.format(dateOf(date));
export const shortDay = (date) => shortDayFormat.format(dateOf(date));
export const month = (date) => monthFormat.format(dateOf(date));
export const daySpan = (from, to) => dayFormat.formatRange
	? dayFormat.formatRange(dateOf(from), dateOf(to))
	: `${day(from)} – ${day(to)}`;

// A promised day is a day, whatever the visitor's zone.
export const dayOfTime = (time) => shortDayFormat.format(new Date(time));
export const fullDayOfTime = (time) => weekdayFormat.format(new Date(time));

export const time = (text) => timeFormat.format(new Date(text));
export const fullTime = (text) => fullTimeFormat.format(new Date(text));
export const exactTime = (text) => exactTimeFormat.format(new Date(text));

// The same with less room: the time is left out.
export function shortMoment(text) {
	const then = new Date(text);
	return then.toDateString() === new Date().toDateString()
		? hourFormat.format(then) : localDayFormat.format(then);
}

// The same to the second.
export function exactMoment(text) {
	const then = new Date(text);
	return then.toDateString() === new Date().toDateString()
		? clockFormat.format(then) : fullTimeFormat.format(then);
}

// Today's times as times, others with their day.
export function moment(text) {
	const then = new Date(text);
	return then.toDateString() === new Date().toDateString()
		? hourFormat.format(then) : timeFormat.format(then);
}

// How long ago, in words: "12 s", "5 min", "3 h", "4 days".
export function age(milliseconds) {
	const seconds = Math.max(0, Math.round(milliseconds / 1000));
	if (seconds < 60)
		return `${seconds} s`;
	if (seconds < 3600)
		return `${Math.floor(seconds / 60)} min`;
	if (seconds < 172800)
		return `${Math.floor(seconds / 3600)} h`;
	return `${whole.format(Math.floor(seconds / 86400))} days`;
}

export const plural = (number, one, many) =>
	`${whole.format(number)} ${number === 1 ? one : many}`;

// "out_for_delivery" as "Out for delivery".
export function words(code) {
	const text = code.replaceAll('_', ' ');
	return text.charAt(0).toUpperCase() + text.slice(1);
}

export function place(address) {
	if (!address)
		return '';
	const region = [address.city, address.state].filter(Boolean).join(', ');
	return [region, address.country].filter(Boolean).join(' · ');
}
