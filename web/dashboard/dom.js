// Making and changing elements.
//
// What must stay true: nothing that came from outside becomes markup (text is
// always set as text), and what has not changed is not touched, so that focus,
// selection and scrolling stay where they are.

// make('p', 'quiet', 'text', element, ...): null and false are left out.
export function make(name, style, ...children) {
	const element = document.createElement(name);
	if (style)
		element.className = style;
	element.append(...children.flat(Infinity).filter(
		(child) => child != null && child !== false));
	return element;
}

export const at = (id) => document.getElementById(id);

export function link(target, ...children) {
	const element = make('a', '', ...children);
	element.href = target;
	return element;
}

export function setText(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

export function unseen(text) {
	return make('span', 'unseen', text);
}

// A figure that is not known: a dash, and why in words.
export function unknown(reason) {
	const dash = make('span', 'none', '–', unseen(` ${reason}`));
	dash.title = reason;
	return dash;
}

// What a part shows instead of rows.
export function nothing(...words) {
	return make('p', 'nothing', ...words);
}

// Replaces what a part shows when `value` is other than the last time.
const shown = new WeakMap();

export function show(element, value, build) {
	const text = JSON.stringify(value);
	if (shown.get(element) === text)
		return false;
	shown.set(element, text);
	const place = focusPlace(element);
	element.replaceChildren(...[build()].flat().filter(Boolean));
	restoreFocus(element, place);
	return true;
}

export function forget(element) {
	shown.delete(element);
}

// The focus in an element that is about to be made anew: the same link again, or
// the same row of it.
function focusPlace(element) {
	const active = document.activeElement;
	if (!element.contains(active))
		return null;
	return active.getAttribute('href') ?? active.id;
}

function restoreFocus(element, place) {
	if (place === null)
		return;
	for (const one of element.querySelectorAll('a, button, summary'))
		if ((one.getAttribute('href') ?? one.id) === place) {
			one.focus({ preventScroll: true });
			return;
		}
}

// A table whose rows stay the same elements while what they say is the same.
// columns: [{ title, style, cell(item) }], the first cell heads its row.  Roles
// are said in so many words: on phones the rows become blocks.
export class Table {
	constructor(caption, columns) {
		this.columns = columns;
		this.rows = new Map(); // key: { text, row }
		this.isFresh = true; // what comes next is no news
		this.caption = make('caption', 'unseen', caption);
		this.body = make('tbody', '');
		this.body.setAttribute('role', 'rowgroup');
		const head = make('tr', '', columns.map((column) => {
			const cell = make('th', column.style, column.title);
			cell.scope = 'col';
			cell.setAttribute('role', 'columnheader');
			return cell;
		}));
		head.setAttribute('role', 'row');
		const top = make('thead', '', head);
		top.setAttribute('role', 'rowgroup');
		this.element = make('table', '', this.caption, top, this.body);
		this.element.setAttribute('role', 'table');
	}

	row(item) {
		const row = make('tr', '', this.columns.map((column, number) => {
			const cell = make(number ? 'td' : 'th', column.style,
				column.cell(item));
			if (number === 0)
				cell.scope = 'row';
			cell.setAttribute('role', number ? 'cell' : 'rowheader');
			cell.dataset.label = column.title;
			return cell;
		}));
		row.setAttribute('role', 'row');
		return row;
	}

	// Shows these items; returns how many are new since the last time.
	show(items, key) {
		const before = this.rows;
		const isFirst = this.isFresh;
		let added = 0;
		this.rows = new Map();
		items.forEach((item, number) => {
			const name = key(item);
			const text = JSON.stringify(item);
			let one = before.get(name);
			if (one?.text !== text) {
				const row = this.row(item);
				if (one) {
					const place = focusPlace(one.row);
					one.row.replaceWith(row);
					restoreFocus(row, place);
				}
				if (!isFirst)
					row.classList.add('changed');
				if (!one && !isFirst)
					added++;
				one = { text, row };
			}
			this.rows.set(name, one);
			if (this.body.children[number] !== one.row)
				this.body.insertBefore(one.row,
					this.body.children[number] ?? null);
		});
		while (this.body.children.length > this.rows.size)
			this.body.lastElementChild.remove();
		this.isFresh = false;
		return added;
	}
}
