// The two charts: bars for parcels, lines for money, one for each currency.

import * as format from "./format.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const HALF_A_DAY = 43200; // seconds, so that the outer bars are whole
const seconds = (date) => Date.parse(date) / 1000;

function axes(values) {
	const shared = {
		stroke: colour("--quiet"), font: "12px system-ui, sans-serif",
		grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false },
	};
	return [
		{ ...shared, grid: { show: false }, space: 70, values: (_, days) => days.map(format.dateShort) },
		{ ...shared, size: 68, space: 36, values: (_, numbers) => numbers.map((n) => n == null ? "" : values(n)) },
	];
}

class Chart {
	constructor(box) {
		this.box = box;
		new ResizeObserver(() => this.fit()).observe(box);
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
	}

	fit() {
		this.plot?.setSize({ width: this.box.clientWidth, height: 200 });
	}

	draw(data, series, values) {
		this.redraw = () => {
			this.plot?.destroy();
			this.plot = new uPlot({
				width: this.box.clientWidth, height: 200, padding: [8, 8, 0, 0],
				tzDate: (at) => uPlot.tzDate(new Date(1000 * at), "UTC"),
				cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
				scales: {
					x: { range: (_, first, last) => [first - HALF_A_DAY, last + HALF_A_DAY] },
					y: { range: (_, least, most) => [Math.min(0, least || 0), Math.max(1, (most || 0) * 1.1)] },
				},
				axes: axes(values),
				series: [{ label: "Day", value: (_, at) => at == null ? "" : format.dateShort(at) },
					...series.map((one) => ({ ...one(), value: (_, n) => n == null ? format.DASH : values(n) }))],
			}, data, this.box);
		};
		this.redraw();
	}

	redraw() { /* nothing is drawn yet */ }
}

// Numbers that change are put into the chart that stands.
function show(chart, kind, data, series, values) {
	if (chart.plot && chart.kind === kind)
		return chart.plot.setData(data);
	chart.kind = kind;
	return chart.draw(data, series, values);
}

export function volume(box) {
	const chart = new Chart(box);
	return (trends) => show(chart, `bars of ${trends.length > 120}`, [
		trends.map((day) => seconds(day.date)),
		trends.map((day) => day.count),
		trends.map((day) => day.delivered),
	], [
		() => ({ label: "Shipments", fill: colour("--soft"), stroke: colour("--accent"), width: 1,
			points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 40] }) }),
		() => ({ label: "of these delivered", fill: colour("--accent"), width: 0,
			points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 40] }) }),
	], (n) => Number.isInteger(n) ? format.count(n) : "");
}

export function cost(box) {
	const chart = new Chart(box);
	return (trends) => {
		const currencies = [...new Set(trends.flatMap((day) => day.costs.map((one) => one.currency)))].slice(0, 3);
		const known = currencies.length ? currencies : [null];
		show(chart, known.join(), [
			trends.map((day) => seconds(day.date)),
			...known.map((currency) => trends.map((day) =>
				Number(day.costs.find((one) => one.currency === currency)?.total_cost ?? 0))),
		], known.map((currency, nth) => () => ({
			label: currency ?? "Cost", width: 2, stroke: colour(["--accent", "--second", "--third"][nth]),
			fill: nth === 0 ? colour("--soft") : undefined, points: { show: trends.length === 1 },
		})), (n) => format.count(n));
	};
}
