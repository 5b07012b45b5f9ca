// A peer made of what others have published: `@number0/iroh` for the connections, Node's crypto for the signatures, and
// the texts of runtime/wire/README.md and runtime/transport/iroh/frame.h. Nothing of tidelock is in it.
//
// Led by JSON lines: argv[2] is the protocol that it serves. It says {"ready":…}; each line on its standard input is a
// request to make, each answer a line. Its input's end ends it.
'use strict'
const crypto = require('node:crypto')
const readline = require('node:readline')
const { Endpoint, EndpointAddr, EndpointId, RelayMode, presetMinimal } = require('@number0/iroh')

const PROTOCOL = 'tidelock/1'
const TYPE = 'application/tidelock'
const MOST = 1 << 20
const text = (string) => [...Buffer.from(string)]
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n')

// --- frames and signatures ---

const pair = crypto.generateKeyPairSync('ed25519')
const raw = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x, 'base64url')
const KEY = 'ed25519:' + raw.toString('base64')
const EPOCH = crypto.randomBytes(16).toString('hex')
const PROCESS = crypto.randomBytes(8).toString('hex')
let count = 0n

const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex')
const signed = (domain, header) => Buffer.concat([Buffer.from(`tidelock/v1/${domain}\0`), header])

function publicKey(key) {
	const x = Buffer.from(key.replace('ed25519:', ''), 'base64').toString('base64url')
	return crypto.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

function frame(domain, header, body) {
	const bytes = Buffer.from(JSON.stringify(header))
	const length = Buffer.alloc(4)
	length.writeUInt32BE(bytes.length)
	const signature = crypto.sign(null, signed(domain, bytes), pair.privateKey)
	return Buffer.concat([length, bytes, Buffer.from([1]), signature, body])
}

function parse(domain, bytes, key) {
	const length = bytes.readUInt32BE(0)
	const header = bytes.subarray(4, 4 + length)
	const fields = JSON.parse(header)
	const signature = bytes.subarray(5 + length, 69 + length)
	const by = publicKey(key || (domain === 'request' ? fields.from : fields.args.key))
	const verified = bytes[4 + length] >= 1 && crypto.verify(null, signed(domain, header), by, signature)
	return { header: fields, verified, re: sha256(signed(domain, header)) }
}

const statement = () => ({
	key: KEY, name: 'another', incarnation: EPOCH, addresses: [], max_body_bytes: MOST, max_page_entries: 1000,
	features: [],
})

const EMPTY = { body_len: 0, body_sha256: sha256('') }

// --- what it asks ---

// hello over a stream of its own: who is there (`to` null), or to somebody whose key is known.
async function hello(connection, own, ask) {
	const nonce = PROCESS + (++count).toString(16).padStart(16, '0')
	const channel = `iroh:${own}:${connection.remoteId().toString()}`
	const request = frame('request', {
		to: ask.to || null, from: KEY, method: 'hello', db: null, time: Date.now(), nonce, epoch: null,
		channel: ask.channel || channel, keys: [], ...EMPTY, args: statement(),
	}, Buffer.alloc(0))
	const path = '/tidelock/v1/hello'
	const stream = await connection.openBi()
	await stream.send.writeAll([path.length, ...text(path), TYPE.length, ...text(TYPE), ...request])
	await stream.send.finish()
	const answer = Buffer.from(await stream.recv.readToEnd(MOST))
	const status = answer.readUInt16BE(0)
	const type = answer.subarray(3, 3 + answer[2]).toString()
	const body = answer.subarray(3 + answer[2])
	if (status !== 200 || body.readUInt32BE(0) === 0) return { status, type, text: body.toString('latin1') }
	const { header, verified } = parse('response', body, ask.to)
	return { status, type, verified, header, meant: header.re === parse('request', request).re }
}

// Bytes as they are, and the answer's.
async function bare(connection, bytes) {
	const stream = await connection.openBi()
	await stream.send.writeAll(text(bytes))
	await stream.send.finish()
	return { text: Buffer.from(await stream.recv.readToEnd(MOST)).toString('latin1') }
}

async function carryOut(endpoint, ask) {
	const address = new EndpointAddr(EndpointId.fromString(ask.id), null, ask.direct)
	const connection = await endpoint.connect(address, text(ask.protocol || PROTOCOL))
	try {
		return ask.bytes !== undefined ? await bare(connection, ask.bytes)
			: await hello(connection, endpoint.id().toString(), ask)
	} finally {
		connection.close(0n, [])
	}
}

// --- what it answers ---

async function answer(stream, own, peer) {
	const asked = Buffer.from(await stream.recv.readToEnd(MOST))
	const path = asked.subarray(1, 1 + asked[0]).toString()
	const at = 2 + asked[0] + asked[1 + asked[0]]
	const { header, verified, re } = parse('request', asked.subarray(at))
	say({ asked: { path, verified, header, channel: header.channel === `iroh:${peer}:${own}` } })
	const response = frame('response', {
		re, status: 'ok', time: Date.now(), epoch: EPOCH, channel: header.channel, ...EMPTY, args: statement(),
	}, Buffer.alloc(0))
	await stream.send.writeAll([0, 200, TYPE.length, ...text(TYPE), ...response])
	await stream.send.finish()
}

async function welcome(endpoint, incoming) {
	const connection = await (await incoming.accept()).connect()
	const peer = connection.remoteId().toString()
	for (;;) {
		const stream = await connection.acceptBi()
		answer(stream, endpoint.id().toString(), peer).catch((error) => say({ failed: String(error) }))
	}
}

async function main() {
	const builder = Endpoint.builder()
	presetMinimal(builder)
	builder.alpns([text(process.argv[2])])
	builder.relayMode(RelayMode.disabled())
	builder.bindAddr('127.0.0.1:0')
	const endpoint = await builder.bind()
	const lines = readline.createInterface({ input: process.stdin })
	lines.on('line', (line) => carryOut(endpoint, JSON.parse(line))
		.then(say, (error) => say({ error: String(error.message || error) })))
	lines.on('close', () => process.exit(0))
	say({ ready: { id: endpoint.id().toString(), direct: endpoint.boundSockets().filter((at) => at.startsWith('127.')), key: KEY } })
	// A connection ends by an error; one that was refused too.
	for (;;) welcome(endpoint, await endpoint.acceptNext()).catch(() => {})
}

main().catch((error) => {
	say({ error: String(error) })
	process.exit(1)
})
