// The official client, with nothing changed but its base URL.
//
// Started by run.py with WAYBILL_URL, WAYBILL_KEY (of the gateway),
// EASYPOST_KEY (the configured test key) and MODULES (where npm put things).

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(process.env.MODULES + '/');
const loaded = require('@easypost/api');
const EasyPost = loaded.default ?? loaded;
const { WAYBILL_URL, WAYBILL_KEY, EASYPOST_KEY } = process.env;

const jack = {
	name: 'Jack Sparrow', street1: '388 Townsend St', street2: 'Apt 20',
	city: 'San Francisco', state: 'CA', zip: '94107', country: 'US',
	email: 'test@example.com', phone: '5555555555',
};
const elizabeth = {
	name: 'Elizabeth Swan', street1: '179 N Harbor Dr',
	city: 'Redondo Beach', state: 'CA', zip: '90277', country: 'US',
	email: 'test@example.com', phone: '5555555555',
};
const parcel = { length: 10, width: 8, height: 4, weight: 15.4 };
const customs = {
	eel_pfc: 'NOEEI 30.37(a)', customs_certify: true,
	customs_signer: 'Steve Brule', contents_type: 'merchandise',
	contents_explanation: '', restriction_type: 'none',
	non_delivery_option: 'return',
	customs_items: [{
		description: 'Sweet shirts', quantity: 2, weight: 11, value: 23.25,
		hs_tariff_number: '654321', origin_country: 'US',
	}],
};

function clientOf(key) {
	return new EasyPost(key, { baseUrl: WAYBILL_URL + '/v2/' });
}

// What is in our database about a shipment.
async function stored(id) {
	const answer = await fetch(`${WAYBILL_URL}/db/shipments/${id}`,
		{ headers: { Authorization: `Bearer ${WAYBILL_KEY}` } });
	assert.equal(answer.status, 200, await answer.clone().text());
	const { data } = await answer.json();
	return data.shipment ?? data;
}

async function refused(promise) {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	throw new Error('it was not refused');
}

async function story(key) {
	const client = clientOf(key);

	const address = await client.Address.create(jack);
	assert.match(address.id, /^adr_/);
	assert.equal((await client.Address.retrieve(address.id)).id, address.id);
	const verified = await client.Address.create({ ...elizabeth, verify: true });
	assert.ok(verified.verifications);

	const box = await client.Parcel.create(parcel);
	assert.equal(box.weight, 15.4);

	const info = await client.CustomsInfo.create(customs);
	assert.equal(info.customs_items.length, 1);

	const shipment = await client.Shipment.create({
		from_address: { id: address.id }, to_address: elizabeth,
		parcel: { id: box.id }, customs_info: { id: info.id },
		reference: 'accept',
	});
	assert.match(shipment.id, /^shp_/);
	assert.ok(shipment.rates.length > 0);
	assert.equal((await stored(shipment.id)).reference, 'accept');

	const bought = await client.Shipment.buy(shipment.id, shipment.lowestRate());
	assert.ok(bought.tracking_code);
	assert.ok(bought.postage_label.label_url);
	const row = await stored(bought.tracking_code);
	assert.equal(row.easypost_id, shipment.id);
	assert.equal(Number(row.base_cost), Number(bought.selected_rate.rate));

	const refund = await client.Shipment.refund(shipment.id);
	assert.equal(refund.refund_status, 'submitted');

	const tracker = await client.Tracker.create({
		tracking_code: 'EZ4000000004', carrier: 'USPS' });
	assert.match(tracker.id, /^trk_/);
	assert.equal((await client.Tracker.retrieve(tracker.id)).id, tracker.id);

	for (let number = 0; number < 3; number += 1) {
		await client.Shipment.create({
			from_address: jack, to_address: elizabeth, parcel });
	}
	const first = await client.Shipment.all({ page_size: 2 });
	assert.equal(first.shipments.length, 2);
	assert.equal(first.has_more, true);
	const next = await client.Shipment.getNextPage(first, 2);
	assert.equal(next.shipments.length, 2);
	const ids = [...first.shipments, ...next.shipments].map((one) => one.id);
	assert.equal(new Set(ids).size, 4);

	const missing = await refused(client.Shipment.retrieve(
		'shp_00000000000000000000000000000000'));
	assert.equal(missing.statusCode, 404);
	assert.equal(missing.code, 'NOT_FOUND');
	const invalid = await refused(client.Shipment.create({}));
	assert.equal(invalid.statusCode, 422);
	assert.ok(Array.isArray(invalid.errors));
}

async function errorsOfTheGateway() {
	const wrong = clientOf('wb_' + 'A'.repeat(43));
	const error = await refused(wrong.Address.create(jack));
	assert.equal(error.statusCode, 401);
	assert.equal(error.code, 'AUTHENTICATION.INVALID');
	assert.ok(error.message);
}

function webhooks() {
	const secret = 's\u00e9cret';
	const body = Buffer.from('{"id":"evt_1","object":"Event",'
		+ '"description":"tracker.updated","result":{"weight":136.0}}');
	const digest = createHmac('sha256', secret.normalize('NFKD'))
		.update(body).digest('hex');
	const headers = { 'X-Hmac-Signature': `hmac-sha256-hex=${digest}` };
	const event = clientOf(EASYPOST_KEY).Utils.validateWebhook(
		body, headers, secret);
	assert.equal(event.id, 'evt_1');
	assert.throws(() => clientOf(EASYPOST_KEY).Utils.validateWebhook(
		body, headers, 'another'));
	return { body, headers };
}

// What the official client accepts as signed, the gateway accepts, and back.
async function signedWebhook() {
	const { body, headers } = webhooks();
	const answer = await fetch(WAYBILL_URL + '/webhooks/easypost',
		{ method: 'POST', body, headers });
	assert.equal(answer.status, 200, await answer.clone().text());
	assert.deepEqual(await answer.json(),
		{ status: 'success', message: 'Webhook processed' });
	const tampered = await fetch(WAYBILL_URL + '/webhooks/easypost',
		{ method: 'POST', body: body + ' ', headers });
	assert.equal(tampered.status, 401);
}

for (const [name, check] of [
	['the story of a shipment, with a gateway key', () => story(WAYBILL_KEY)],
	['the same with the EasyPost key', () => story(EASYPOST_KEY)],
	['errors of the gateway', errorsOfTheGateway],
	['validateWebhook', signedWebhook],
]) {
	await check();
	console.log(`ok  ${name}`);
}
