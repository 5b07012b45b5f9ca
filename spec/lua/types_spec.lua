-- Every call that Lua has is described in lua/meta, and nothing else is.
require 'spec.helper'
local core = require 'tidelock.core'
local tl = require 'tidelock'

-- Class name -> set of its functions, as the meta files tell them.
local function described()
	local classes = {}
	for _, file in ipairs { 'tidelock', 'node', 'database', 'modules', 'backend', 'transport' } do
		local named, pending = {}, nil
		for line in io.lines('lua/meta/' .. file .. '.lua') do
			local class = line:match '^%-%-%-@class ([%w_.]+)'
			if class then
				pending = class
				classes[class] = classes[class] or {}
			end
			local variable = line:match '^local ([%w_]+) = {}'
			if variable then
				named[variable] = assert(pending, file .. ': ' .. line)
			end
			local owner, method = line:match '^function ([%w_]+)[.:]([%w_]+)'
			if owner then
				classes[assert(named[owner], line)][method] = true
			end
			local field = line:match '^%-%-%-@field ([%w_]+)%??%s+fun'
			if field and pending then
				classes[pending][field] = true
			end
		end
	end
	return classes
end

local function functions_of(object)
	local names = {}
	for name, value in pairs(object) do
		if type(value) == 'function' and not name:find '^__' then
			names[name] = true
		end
	end
	return names
end

-- Calls that only the Lua half uses.
local function without_sync(names)
	for name in pairs(names) do
		if name:find '^sync_' then
			names[name] = nil
		end
	end
	return names
end

describe('types', function()
	local classes = described()

	for class, object in pairs {
		['tidelock.Node'] = without_sync(functions_of(core.methods 'tidelock.node')),
		['tidelock.Database'] = functions_of(core.methods 'tidelock.database'),
		['tidelock.View'] = functions_of(core.methods 'tidelock.view'),
		['tidelock.Transaction'] = functions_of(core.methods 'tidelock.transaction'),
		['tidelock.DocStore'] = functions_of(core.methods 'tidelock.doc_store'),
		['tidelock.Table'] = functions_of(core.methods 'tidelock.table'),
		['tidelock.SettingsStore'] = functions_of(core.methods 'tidelock.settings_store'),
		['tidelock.Entry'] = functions_of(core.methods 'tidelock.entry'),
		['tidelock.EntryBuilder'] = functions_of(core.methods 'tidelock.entry_builder'),
		['tidelock.Secret'] = functions_of(core.methods 'tidelock.secret'),
		['tidelock.Error'] = functions_of(core.methods 'tidelock.error'),
		['tidelock.Sync'] = functions_of(require 'tidelock.sync'),
		['tidelock.crypto'] = functions_of(tl.crypto),
		['tidelock.entry'] = functions_of(tl.entry),
		['tidelock.json'] = functions_of(tl.json),
		['tidelock.log'] = functions_of(tl.log),
		['tidelock.doc'] = functions_of(tl.doc),
		['tidelock.store'] = functions_of(tl.store),
		['tidelock.Store'] = functions_of(core.methods 'tidelock.store'),
		['tidelock.transport'] = functions_of(tl.transport),
		['tidelock.Http'] = functions_of(core.methods 'tidelock.http'),
		['tidelock.HttpServer'] = functions_of(core.methods 'tidelock.http_server'),
		['tidelock.loop'] = functions_of(tl.loop),
		['tidelock.sim'] = functions_of(tl.sim),
		['tidelock.address'] = functions_of(tl.address),
		['tidelock'] = functions_of(tl),
	} do
		it('describe ' .. class, function()
			assert.is_not_nil(classes[class])
			assert.are.same(object, classes[class])
		end)
	end
end)
