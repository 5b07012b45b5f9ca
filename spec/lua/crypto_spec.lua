require 'spec.helper'
local crypto = require 'tidelock.crypto'
local entry = require 'tidelock.entry'

local function hex(text)
	return (text:gsub('%x%x', function(digits) return string.char(tonumber(digits, 16)) end))
end

local SEED = hex '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
local KEY = 'ed25519:A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg='

describe('crypto', function()
	it('signs and verifies', function()
		local secret <close> = assert(crypto.new_secret(SEED))
		assert.are.equal(KEY, secret:public_key())
		local signature = assert(secret:sign 'message')
		assert.is_true(crypto.verify(KEY, 'message', signature))
		local ok, err = crypto.verify(KEY, 'another', signature)
		assert.is_nil(ok)
		assert.are.equal('bad_signature', err.code)
		assert.are.equal('bad_key', select(2, crypto.verify('ed25519:x', 'message', signature)).code)
		assert.are.equal('bad_key', select(2, crypto.new_secret 'short').code)
	end)

	it('closes secrets', function()
		local secret = assert(crypto.new_secret())
		secret:close()
		assert.has_error(function() secret:sign 'x' end)
		assert.matches('closed', tostring(secret))
	end)

	it('seals by a passphrase', function()
		local secret <close> = assert(crypto.new_secret(SEED))
		local sealed = assert(secret:seal 'horse')
		local again <close> = assert(crypto.unseal(sealed, 'horse'))
		assert.are.equal(KEY, again:public_key())
		local wrong, err = crypto.unseal(sealed, 'donkey')
		assert.is_nil(wrong)
		assert.are.equal('wrong_passphrase', err.code)
	end)

	it('codes base64 strictly', function()
		assert.are.equal('aGk=', crypto.base64_encode 'hi')
		assert.are.equal('hi', crypto.base64_decode 'aGk=')
		local bytes, err = crypto.base64_decode 'aGl='
		assert.is_nil(bytes)
		assert.are.equal('bad_base64', err.code)
		assert.are.equal(16, #crypto.random(16))
		assert.has_error(function() crypto.random(-1) end)
		assert.are.equal(65536, #crypto.random(65536))
		assert.has_error(function() crypto.random(65537) end)
	end)
end)

describe('entries', function()
	local function build(secret)
		return entry.builder():store('_root', '""'):metadata '{"entropy":1}'
			:key(KEY):finish(secret)
	end

	it('are built, read and verified', function()
		local secret <close> = assert(crypto.new_secret(SEED))
		local built = assert(build(secret))
		local read = assert(entry.parse(built:bytes()))
		assert.are.equal(built:id(), read:id())
		assert.is_true(read:is_root())
		assert.is_true(read:check())
		assert.is_true(read:verify(KEY))
		assert.are.equal(KEY, read:signer().key)
		assert.are.same({ { name = '_root', data = '""', parents = {} } }, read:stores())
		assert.are.same({}, read:parents())
		assert.are.equal('', read:tree())
	end)

	it('say what is wrong with them', function()
		local read, err = entry.parse '{"tree":{}}'
		assert.is_nil(read)
		assert.is_truthy(err.code == 'bad_entry' or err.code == 'not_canonical')
		local secret <close> = assert(crypto.new_secret(SEED))
		local text = assert(build(secret)):bytes():gsub('"tree":', '"tree" :')
		assert.are.equal('not_canonical', select(2, entry.parse(text)).code)
		assert.is_truthy(entry.parse(text, 'foreign'))
	end)
end)
