-- add_hook: from a table of functions to what bindings/lua/module/hook.c calls, which answers true, or nil
-- and a text that says why.
local core = require 'tidelock.core'
local misuse = require 'tidelock.misuse'
local task = require 'tidelock.task'
local told = require 'tidelock.told'

local function place(fn)
	local info = debug.getinfo(fn, 'S')
	return info.what == 'C' and '[C]' or ('%s:%d'):format(info.short_src, info.linedefined)
end

-- Anything else than an answer is a mistake, and a mistake lets nothing pass.
local function verdict(fn, answer, reason)
	if answer == true or answer == nil and reason == nil then
		return true
	elseif reason ~= nil and not answer then
		return nil, told.shown(reason)
	elseif answer == false then
		return nil, ('the hook at %s says false'):format(place(fn))
	end
	return nil, ('the hook at %s answers %s; nil or true lets the commit pass, false or nil and a reason '
		.. 'refuse it'):format(place(fn), told.shown(answer))
end

-- Waiting inside a hook would stop the commit that calls it.
local wrappers = {
	before_commit = function(fn)
		return function(context)
			local ok, answer, reason = task.protected(told.traced, fn, context)
			if not ok then
				return nil, answer
			end
			return verdict(fn, answer, reason)
		end
	end,
	on_entry_committed = function(fn)
		return function(context)
			local ok, err = task.protected(told.traced, fn, context)
			return ok or nil, err
		end
	end,
}

for _, type_name in ipairs { 'tidelock.node', 'tidelock.database', 'tidelock.transaction' } do
	local methods = core.methods(type_name)
	local add_hook = methods.add_hook
	methods.add_hook = function(self, hook)
		if type(hook) ~= 'table' then
			misuse.argument(2, 'a hook is a table of functions')
		end
		local moments = {}
		for name, fn in pairs(hook) do
			local wrap = wrappers[name]
			moments[name] = wrap and type(fn) == 'function' and wrap(fn) or fn
		end
		return add_hook(self, moments)
	end
end
