-- Whole databases, both ways. A thousand commits cost 0.2.0 half a minute of processor time.
local C = dofile 'spec/interop/counterpart.lua'
local case = C.cases(it, pending)
local SECONDS = 240

describe('bootstrap', function()
	after_each(C.clean)

	for _, count in ipairs { 1, 10, 1000 } do
		case(('takes %d entries from 0.2.0'):format(count), function()
			local other, node, sync = C.start(), C.open()
			local address = other:serve()
			local db = other:database('theirs', { public = 'read' })
			other:call('many', { db = db, store = 'data', count = count, seconds = SECONDS })
			local peer = assert(sync:sync_with_peer(address, db))
			assert.are.equal(other:call('me').device, peer)
			assert.are.same(other:tips(db), C.tips(node, db))
			assert.are.equal(other:call('count', { db = db }), C.entries(node, db))
			assert.are.same(other:state(db, 'data'), C.state(node, db, 'data'))
			assert.are.same({}, assert(node:verify()))
		end)

		case(('gives %d entries to 0.2.0'):format(count), function()
			local other, node, _, address = C.start(), C.open()
			local db = C.database(node, 'ours', 'read')
			C.commits(db, count)
			local id = db:root_id()
			other:call('sync', { address = C.host(address), db = id, seconds = SECONDS })
			assert.are.same(C.tips(node, id), other:tips(id))
			assert.are.equal(C.entries(node, id), other:call('count', { db = id }))
			assert.are.same(C.state(node, id, 'data'), other:state(id, 'data'))
		end)
	end
end)
