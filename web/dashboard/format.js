// Numbers, money and times in the words of whoever looks.  What is not known is a
// dash, never a zero.

export const DASH = "–";
const whole = new Intl.NumberFormat();
const tenth = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const change = new Intl.NumberFormat(undefined, {
	style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero",
});
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const shortDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
export const count = (n) => n == null ? DASH : whole.format(n);
export const days = (n) => n == null ? DASH : tenth.format(n);
export const rate = (n) => n == null ? DASH : percent.format(n / 100);
export const dateTime = (text) => text ? moment.format(new Date(text)) : DASH;
export const time = (text) => text ? clock.format(new Date(text)) : DASH;
export const date = (text) => text ? day.format(new Date(text)) : DASH;
export const dateShort = (seconds) => shortDay.format(new Date(1000 * seconds));

export function money(amount, currency) {
	if (amount == null)
		return DASH;
	if (!currency)
		return whole.format(amount);
	return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
}

// Sums in several currencies stand beside each other.
export const costs = (list, member = "total_cost") =>
	list.length ? list.map((one) => money(one[member], one.currency)).join(" + ") : DASH;

export function compared(now, before) {
	if (now == null || !before)
		return null;
	return (now - before) / before;
}

export const changed = (ratio) => change.format(ratio);

export function ago(text, from = Date.now()) {
	const seconds = Math.round((new Date(text) - from) / 1000);
	for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
		if (Math.abs(seconds) >= size)
			return relative.format(Math.round(seconds / size), unit);
	return relative.format(Math.min(0, seconds), "second");
}

// EasyPost's words for people: in_transit, return_to_sender.
export const words = (text) => (text || "unknown").replaceAll("_", " ");

export const place = (address) => address
	? [address.city, address.state, address.country].filter(Boolean).join(", ") || DASH : DASH;
