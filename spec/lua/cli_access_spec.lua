-- The owner decides on access requests from the command line.
local H = require 'spec.helper'
local json = require 'tidelock.json'
local tl = require 'tidelock'
local uv = tl.loop

local OWNER = [[
local tl = require 'tidelock'
local node = assert(tl.open { path = arg[1] })
local sync = node:sync()
assert(sync:enable_http_transport())
assert(sync:start_server '127.0.0.1:0')
assert(node:add_private_key 'other')
assert(node:add_private_key 'k')
print(assert(node:new_database({ name = 'notes' }, 'k')):root_id(), sync:get_server_address())
io.stdout:flush()
tl.sleep '10m'
]]

describe('tidelock access', function()
	local path, owner, id, address, guest, sync

	setup(function()
		path = H.folder() .. '/owner'
		owner = H.start({}, 'run', H.write(H.folder() .. '/owner.lua', OWNER), path)
		H.wait_for(function() return owner.out:find '\n' or owner.status end)
		id, address = owner.out:match '^(%S+)\t(%S+)\n'
		assert.is_truthy(id, owner.err)
		guest = assert(tl.open { backend = tl.memory() })
		sync = guest:sync()
		assert(sync:enable_http_transport())
	end)
	teardown(function()
		guest:close(0)
		owner:kill 'sigkill'
		owner:wait()
		H.clean()
	end)

	local function asks(name)
		assert(guest:add_private_key(name))
		return assert(sync:request_database_access(address, id, name, 'write:10')).request_id
	end

	local function run(...)
		local status, out, err = H.run('access', select(1, ...), '-d', path, select(2, ...))
		return status, out, err
	end

	it('lists what waits, and gives it', function()
		local request = asks 'phone'
		local status, out = run 'list'
		assert.are.equal(0, status)
		for _, part in ipairs { request, 'write:10', 'phone' } do
			assert.is_truthy(out:find(part, 1, true))
		end
		local listed = json.decode(select(2, run('list', '--json')))[1]
		assert.are.equal(request, listed.request_id)
		assert.are.equal('write:10', listed.requested_permission)
		assert.are.equal('pending', listed.status)
		assert.is_truthy(listed.peer_address:match '^http:127%.0%.0%.1:%d+$')
		status, out = run('approve', request, '--name', 'my phone')
		assert.are.equal(0, status)
		assert.are.equal('approved ' .. request .. '\n', out)
		assert.are.equal('', (select(2, run 'list')))
		assert.is_truthy(select(2, run('list', '--state', 'approved')):find('approved .* by k'))
		assert.are.equal('granted', sync:request_database_access(address, id, 'phone', 'write:10').status)
	end)

	it('rejects', function()
		local request = asks 'tablet'
		local status, out = run('reject', request, '--json')
		assert.are.equal(0, status)
		assert.are.same({ request_id = request }, json.decode(out))
		assert.are.equal('refused', sync:request_database_access(address, id, 'tablet', 'write:10').status)
	end)

	it('says what is wrong', function()
		local request = asks 'laptop'
		local status, _, err = run('approve', '00000000-0000-4000-8000-000000000000')
		assert.are.equal(1, status)
		assert.is_truthy(err:find 'request_not_found')
		status, _, err = run('approve', request, '--key', 'other')
		assert.are.equal(1, status)
		assert.is_truthy(err:find 'insufficient_permissions')
		assert.are.equal(1, (run('list', '--state', 'maybe')))
		assert.are.equal(0, (run('reject', request)))
		assert.are.equal(1, (run('reject', request)))
	end)

	-- What 0.2.0 sends: it names a key and proves none.
	local function asks_without_proof(name)
		local body = ('{"SyncTree":{"tree_id":"%s","our_tips":[],"peer_pubkey":null,"requesting_key":"%s",'
			.. '"requesting_key_name":"%s","requested_permission":"Read"}}'):format(id,
			tl.crypto.new_secret():public_key(), name)
		local host, port = address:match '^http:(.*):(%d+)$'
		local tcp, answer = uv.new_tcp(), ''
		tcp:connect(host, tonumber(port), function()
			tcp:read_start(function(_, piece) answer = answer .. (piece or '') end)
			tcp:write(('POST /api/v0 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
				.. 'Content-Length: %d\r\n\r\n%s'):format(#body, body))
		end)
		H.wait_for(function() return answer:find '"request_id":"' end)
		tcp:close()
		return answer:match '"request_id":"([^"]+)"'
	end

	-- A build without eidetica 0.2.0 names it, and spec/run counts it.
	local case = os.getenv 'V0' == '0' and function(name) print('skipped: ' .. name) end or it

	case('hands on what an approval alone does not give', function()
		local status, out = run('approve', asks_without_proof 'first')
		assert.are.equal(0, status)
		assert.is_truthy(out:find('v0_claims', 1, true))
		out = json.decode(select(2, run('approve', asks_without_proof 'second', '--json')))
		assert.is_truthy(out.hint:find('v0_claims', 1, true))
	end)
end)
