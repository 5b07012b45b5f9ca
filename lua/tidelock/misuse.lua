-- Errors of misuse: they blame the line that called into the library, and name the method there.
-- Arguments are counted with the object of a method, as C counts them.
local core = require 'tidelock.core'

local M = { raise = core.misuse, argument = core.bad_argument }

--- Refuses what is no function.
function M.check_function(arg, fn)
	if type(fn) ~= 'function' then
		M.argument(arg, ('function expected, got %s'):format(fn == nil and 'no value' or type(fn)))
	end
end

--- An option table that knows one name: its value, if any.
function M.option(arg, options, name)
	if options == nil then
		return nil
	elseif type(options) ~= 'table' then
		M.argument(arg, ('table expected, got %s'):format(type(options)))
	end
	for given in pairs(options) do
		if given ~= name then
			M.argument(arg, ("unknown option '%s', did you mean '%s'?"):format(tostring(given), name))
		end
	end
	return options[name]
end

--- Refuses an object that is not of this class: a method called with a dot, mostly.
function M.check_self(object, class)
	if getmetatable(object) ~= class then
		M.argument(1, ('%s expected, got %s'):format(class.__name, type(object)))
	end
end

return M
