// Draws the contract, ../openapi.json, as a page.
//
// What must stay true: nothing of the document becomes markup (text is always
// set as text), and nothing but the document is asked for.
'use strict';

const VERBS = ['get', 'post', 'put', 'patch', 'delete', 'options'];
const SCOPES = {
	none: 'no key',
	read: 'scope read',
	write: 'scope write',
	admin: 'scope admin',
	proxy: 'scope read for GET and HEAD, write for the rest; or an EasyPost key',
};
const WAIT_MS = 120; // after a key, before the search

let contract; // the whole document

// --- making elements -----------------------------------------------------------

// make('p', 'quiet', 'text', element, ...): undefined and null are left out.
function make(name, style, ...children) {
	const element = document.createElement(name);
	if (style)
		element.className = style;
	element.append(...children.filter((child) => child != null));
	return element;
}

function link(target, ...children) {
	const element = make('a', '', ...children);
	element.href = target;
	return element;
}

// `code` and **bold** of a description, the rest is text.
function words(text) {
	return (text ?? '').split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
		if (part.startsWith('`'))
			return make('code', '', part.slice(1, -1));
		if (part.startsWith('**'))
			return make('strong', '', part.slice(2, -2));
		return part;
	});
}

function paragraphs(text) {
	return (text ?? '').split(/\n\s*\n/).filter(Boolean).map(
		(part) => make('p', '', ...words(part.replace(/\s+/g, ' '))));
}

// A part that may be wider than the page, and can then be moved by keys.
function wide(...children) {
	const element = make('div', 'wide', ...children);
	element.tabIndex = 0;
	return element;
}

function example(value) {
	const text = typeof value === 'string' ? value
		: JSON.stringify(value, null, 2);
	const element = make('pre', '', make('code', '', text));
	element.tabIndex = 0;
	return element;
}

// --- the document ----------------------------------------------------------------

function resolve(part) {
	if (part?.$ref === undefined)
		return part;
	return part.$ref.slice(2).split('/').reduce(
		(found, step) => found[step], contract);
}

function nameOf(part) {
	return part?.$ref?.startsWith('#/components/schemas/')
		? part.$ref.split('/').pop() : undefined;
}

// The operations of a path, those that say the same together.
function groupsOf(path, item) {
	const groups = [];
	for (const verb of VERBS.filter((one) => item[one])) {
		const operation = item[verb];
		const same = groups.find((group) =>
			group.operation.description === operation.description
			&& JSON.stringify(group.operation.responses)
			=== JSON.stringify(operation.responses));
		if (same)
			same.members.push({ verb, operation });
		else
			groups.push({ path, operation, members: [{ verb, operation }],
				parameters: [...item.parameters ?? [],
					...operation.parameters ?? []].map(resolve) });
	}
	return groups;
}

// --- schemas -----------------------------------------------------------------------

const isNull = (schema) => schema.type === 'null';

// [the schema without "or null", whether null is allowed]
function withoutNull(schema) {
	const choices = schema.oneOf ?? schema.anyOf;
	if (choices?.some(isNull) && choices.length === 2)
		return [choices.find((one) => !isNull(one)), true];
	if (Array.isArray(schema.type) && schema.type.includes('null')) {
		const rest = schema.type.filter((one) => one !== 'null');
		return [{ ...schema, type: rest.length === 1 ? rest[0] : rest }, true];
	}
	return [schema, false];
}

function typeOf(schema) {
	const [plain, isNullable] = withoutNull(schema);
	const end = isNullable ? [' or null'] : [];
	const name = nameOf(plain);
	if (name)
		return [link(`#schema-${name}`, name), ...end];
	if (plain.const !== undefined)
		return [make('code', '', JSON.stringify(plain.const)), ...end];
	if (plain.type === 'array')
		return ['list of ', ...typeOf(plain.items ?? {}), ...end];
	const choices = plain.oneOf ?? plain.anyOf;
	if (choices)
		return [...choices.flatMap((one, number) =>
			number ? [' or ', ...typeOf(one)] : typeOf(one)), ...end];
	if (plain.type === undefined)
		return ['any JSON'];
	const kind = plain.format === 'uuid' ? 'UUID'
		: plain.format === 'date-time' ? 'time'
			: [plain.type].flat().join(' or ');
	return [kind, ...end];
}

// What a value must keep to, in words.
function limitsOf(schema) {
	const [nullless] = withoutNull(schema);
	const plain = resolve(nullless);
	const limits = [];
	const range = (least, most, unit) => {
		if (least !== undefined && most !== undefined)
			limits.push(least === most ? `${least}${unit}`
				: `${least} to ${most}${unit}`);
		else if (least !== undefined)
			limits.push(`at least ${least}${unit}`);
		else if (most !== undefined)
			limits.push(`at most ${most}${unit}`);
	};
	if (plain.enum)
		limits.push(plain.enum.join(', '));
	range(plain.minimum, plain.maximum, '');
	if (plain.exclusiveMinimum !== undefined)
		limits.push(`more than ${plain.exclusiveMinimum}`);
	if (plain.maxLength !== undefined)
		range(plain.minLength, plain.maxLength, ' characters');
	range(plain.minItems, plain.maxItems, ' of them');
	if (plain.default !== undefined)
		limits.push(`default ${plain.default}`);
	return limits.length ? make('span', 'limit', limits.join('; ')) : null;
}

// The members of an object, or of the objects of a list; null without any.
function membersOf(schema) {
	const [plain] = withoutNull(schema);
	const inner = plain.type === 'array' ? withoutNull(plain.items ?? {})[0]
		: plain;
	if (!inner.properties)
		return null;
	return make('ul', 'members', ...Object.entries(inner.properties).map(
		([name, member]) => make('li', '',
			make('code', '', name),
			make('span', 'kind', ...typeOf(member),
				inner.required?.includes(name) ? '' : ', optional'),
			limitsOf(member),
			member.description
				? make('span', 'says', ...words(member.description)) : null,
			membersOf(member))));
}

function exampleOf(media) {
	const named = media.examples && Object.values(media.examples)[0];
	return media.example ?? resolve(named)?.value
		?? resolve(media.schema)?.examples?.[0];
}

// A body: its type, its members, an example.
function bodyOf(content, summary) {
	return Object.entries(content ?? {}).map(([kind, media]) => {
		const schema = media.schema;
		const head = make('summary', '', ...summary, ' ',
			kind === '*/*' ? make('span', 'says', 'Any content type.')
				: make('code', '', kind), schema ? ' ' : '',
			...schema ? typeOf(schema) : []);
		const sample = exampleOf(media);
		const members = schema ? membersOf(resolve(schema)) : null;
		if (!members && sample === undefined)
			return make('p', '', ...head.childNodes);
		return make('details', '', head, members,
			sample === undefined ? null : example(sample));
	});
}

// --- one operation --------------------------------------------------------------

function parametersOf(parameters) {
	if (!parameters.length)
		return [];
	const rows = parameters.map((one) => make('tr', '',
		make('td', 'name', make('code', '', one.name),
			one.in === 'query' ? null
				: make('span', 'place', `in the ${one.in}`)),
		make('td', 'type', ...typeOf(one.schema), limitsOf(one.schema)),
		make('td', '', ...words(one.description))));
	return [make('h4', '', 'Parameters'), make('table', '',
		make('thead', '', make('tr', '', make('th', '', 'Name'),
			make('th', '', 'Type'), make('th', '', 'Meaning'))),
		make('tbody', '', ...rows))];
}

function answersOf(operation) {
	const found = Object.entries(operation.responses).filter(
		([status]) => status < '4' || status.endsWith('XX'));
	return [make('h4', '', 'Answers'), ...found.flatMap(([status, answer]) => {
		const head = [make('span', 'status', status), ' ',
			make('span', 'says', ...words(answer.description))];
		return answer.content ? bodyOf(answer.content, head)
			: [make('p', '', ...head)];
	})];
}

// [status, code] of each refusal.
function refusalsOf(operation) {
	return Object.entries(operation.responses).flatMap(([status, answer]) =>
		Object.keys(answer.content?.['application/json']?.examples ?? {})
			.map((code) => [status, code]));
}

function errorTable(refusals) {
	const rows = refusals.map(([status, code]) => make('tr', '',
		make('td', 'name', make('span', 'status', status), ' ',
			make('code', '', code)),
		make('td', '', ...words(contract['x-errors'][code].description))));
	return make('table', 'errors', make('thead', '', make('tr', '',
		make('th', '', 'Status and code'), make('th', '', 'Meaning'))),
	make('tbody', '', ...rows));
}

function errorsOf(operation) {
	const general = new Set(contract['x-any-request']);
	const own = refusalsOf(operation).filter(([, code]) =>
		!general.has(code) || code === 'NOT_FOUND');
	return [make('h4', '', 'Errors'),
		own.length ? errorTable(own) : null,
		make('p', 'quiet', own.length ? 'And ' : '',
			link('#errors-any', 'what any request may be answered'), '.')];
}

function valueOf(parameter) {
	return parameter.example ?? resolve(parameter.schema)?.examples?.[0]
		?? 'VALUE';
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlOf(group) {
	const { verb, operation } = group.members[0];
	const path = group.parameters.filter((one) => one.in === 'path').reduce(
		(text, one) => text.replace(`{${one.name}}`, valueOf(one)), group.path);
	const query = group.parameters.find(
		(one) => one.in === 'query' && one.example !== undefined);
	const found = query
		? `?${query.name}=${encodeURIComponent(query.example)}` : '';
	const line = ['curl'];
	if (operation['x-scope'] !== 'none')
		line.push('-u "$KEY:"');
	const own = operation.requestBody ? 'post' : 'get'; // curl's own choice
	if (verb !== own)
		line.push(`-X ${verb.toUpperCase()}`);
	for (const one of group.parameters.filter((each) => each.in === 'header'))
		line.push(`-H ${quote(`${one.name}: ${valueOf(one)}`)}`);
	const [kind, media] = Object.entries(
		operation.requestBody?.content ?? {})[0] ?? [];
	if (media) {
		const body = exampleOf(media);
		line.push(`-H 'Content-Type: ${kind}'`);
		line.push(`-d ${quote(JSON.stringify(body))}`);
	}
	line.push(quote(location.origin + path + found));
	return line.join(' ');
}

function copyable(text) {
	const button = make('button', '', 'Copy');
	button.type = 'button';
	button.addEventListener('click', async () => {
		try {
			await navigator.clipboard.writeText(text);
			button.textContent = 'Copied';
		} catch {
			button.textContent = 'Not allowed';
		}
	});
	return make('div', 'curl', example(text), button);
}

function anchor(id) {
	const element = link(`#${id}`, '#');
	element.className = 'anchor';
	element.setAttribute('aria-label', 'Link to this');
	return element;
}

function operationOf(group) {
	const { operation, members } = group;
	const summaries = members.length === 1
		? [make('p', '', ...words(operation.summary))]
		: [make('ul', 'members', ...members.map((one) => make('li', '',
			make('span', `verb ${one.verb}`, one.verb.toUpperCase()), ' ',
			...words(one.operation.summary))))];
	const body = members.find((one) => one.operation.requestBody)
		?.operation.requestBody;
	const article = make('article', '',
		make('h3', 'head',
			members.length > 1 ? null : make('span', `verb ${members[0].verb}`,
				members[0].verb.toUpperCase()),
			make('code', 'path', group.path), anchor(operation.operationId),
			make('span', 'scope', SCOPES[operation['x-scope']])),
		...summaries, ...paragraphs(operation.description),
		...parametersOf(group.parameters),
		...body ? [make('h4', '', 'Body'),
			...body.description
				? [make('p', '', ...words(body.description))] : [],
			...bodyOf(body.content, [])] : [],
		...answersOf(operation), ...errorsOf(operation),
		make('h4', '', 'With curl'), copyable(curlOf(group)));
	article.id = operation.operationId;
	return article;
}

function schemaOf(name, schema) {
	const article = make('article', '',
		make('h3', 'head', make('code', 'path', name),
			anchor(`schema-${name}`)),
		...paragraphs(schema.description),
		membersOf(schema) ?? make('p', '', ...typeOf(schema)),
		schema.properties ? null : limitsOf(schema),
		schema.examples ? example(schema.examples[0]) : null);
	article.id = `schema-${name}`;
	return article;
}

// --- the page ----------------------------------------------------------------------

function section(id, title, text, ...articles) {
	const heading = make('h2', '', title);
	heading.id = id;
	return make('section', '', heading, ...paragraphs(text), ...articles);
}

function errorArticle(id, title, text, refusals) {
	const article = make('article', '',
		make('h3', 'head', title, anchor(id)),
		...paragraphs(text), errorTable(refusals));
	article.id = id;
	return article;
}

function errorSection() {
	const general = new Set(contract['x-any-request']);
	const all = Object.entries(contract['x-errors']).map(
		([code, error]) => [String(error.status), code]);
	return section('errors', 'Errors',
		'A code belongs to one status and never changes its meaning.',
		errorArticle('errors-any', 'What any request may be answered', '',
			all.filter(([, code]) => general.has(code))),
		errorArticle('errors-other', 'What single routes answer', '',
			all.filter(([, code]) => !general.has(code))));
}

function contentsOf(id, title, entries) {
	return [make('h2', '', link(`#${id}`, title)),
		make('ul', '', ...entries.map(({ target, verbs, text }) => {
			const item = make('li', '', link(`#${target}`,
				verbs.length ? make('span', 'verbs', ...verbs.map(
					(verb) => make('b', verb,
						verbs.length > 2 ? '' : verb.toUpperCase() + ' ')))
					: null,
				verbs.length > 2 ? make('span', 'verbs',
					make('b', 'options', 'ANY ')) : null,
				text));
			item.dataset.target = target;
			return item;
		}))];
}

function draw() {
	const main = document.getElementById('main');
	const contents = document.getElementById('contents');
	const { info } = contract;
	const groups = Object.entries(contract.paths).flatMap(
		([path, item]) => groupsOf(path, item));
	const title = make('h1', '', info.title);
	title.id = 'top';
	document.title = `${info.title} ${info.version}: the interface`;
	document.getElementById('version').textContent = info.version;
	main.append(make('section', 'intro', title,
		make('p', 'lead', info.summary), ...paragraphs(info.description)));
	for (const tag of contract.tags) {
		const own = groups.filter(
			(group) => group.operation.tags.includes(tag.name));
		const id = `tag-${tag.name.toLowerCase().replace(/\W+/g, '-')}`;
		main.append(section(id, tag.name, tag.description,
			...own.map(operationOf)));
		contents.append(...contentsOf(id, tag.name, own.map((group) => ({
			target: group.operation.operationId, text: group.path,
			verbs: group.members.map((one) => one.verb) }))));
	}
	const schemas = Object.entries(contract.components.schemas);
	main.append(errorSection());
	main.append(section('schemas', 'Schemas', 'What is sent and answered.',
		...schemas.map(([name, schema]) => schemaOf(name, schema))));
	contents.append(...contentsOf('errors', 'Errors', []));
	contents.append(...contentsOf('schemas', 'Schemas', schemas.map(
		([name]) => ({ target: `schema-${name}`, text: name, verbs: [] }))));
}

// Shows only what holds every word.
function search(text) {
	const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
	const visible = new Set();
	for (const article of document.querySelectorAll('article')) {
		const own = `${article.id} ${article.textContent}`.toLowerCase();
		article.hidden = !wanted.every((word) => own.includes(word));
		if (!article.hidden)
			visible.add(article.id);
	}
	for (const part of document.querySelectorAll('main > section'))
		part.hidden = wanted.length > 0
			&& !part.querySelector('article:not([hidden])');
	for (const item of document.querySelectorAll('#contents li'))
		item.hidden = !visible.has(item.dataset.target);
	document.getElementById('found').textContent = wanted.length
		? `${visible.size} found` : '';
}

// The place in the address: it did not exist when the browser looked for it.
function goToPlace() {
	const id = decodeURIComponent(location.hash.slice(1));
	document.getElementById(id)?.scrollIntoView();
}

function listen() {
	const input = document.getElementById('search');
	let timer;
	input.addEventListener('input', () => {
		clearTimeout(timer);
		timer = setTimeout(() => search(input.value), WAIT_MS);
	});
	document.addEventListener('keydown', (event) => {
		if (event.key === '/' && document.activeElement !== input
			&& !event.ctrlKey && !event.metaKey) {
			event.preventDefault();
			input.select();
			input.focus();
		} else if (event.key === 'Escape' && input.value) {
			input.value = '';
			search('');
		}
	});
	// What the search hides is shown when a link leads to it.
	window.addEventListener('hashchange', () => {
		const place = document.getElementById(location.hash.slice(1));
		if (place?.closest('[hidden]')) {
			input.value = '';
			search('');
			place.scrollIntoView();
		}
	});
	let opened = [];
	window.addEventListener('beforeprint', () => {
		opened = [...document.querySelectorAll('article details:not([open])')];
		for (const one of opened)
			one.open = true;
	});
	window.addEventListener('afterprint', () => {
		for (const one of opened)
			one.open = false;
	});
}

async function start() {
	const loading = document.getElementById('loading');
	loading.hidden = false;
	if (window.matchMedia('(max-width: 56rem)').matches)
		document.querySelector('.contents').open = false;
	try {
		const answer = await fetch('../openapi.json');
		if (!answer.ok)
			throw new Error(`status ${answer.status}`);
		contract = await answer.json();
	} catch (error) {
		loading.textContent = `openapi.json cannot be read: ${error.message}. `
			+ 'Please try again.';
		return;
	}
	loading.remove();
	draw();
	listen();
	goToPlace();
}

start();
