-- What an order may look like, and that nobody pays what was not shipped.
local hook = { databases = 'orders' }

local STATES = { open = true, shipped = true, paid = true }

local function check(ctx, change)
	local field = change.path[2]
	if change.deleted or field == nil then
		return 'orders are never deleted'
	elseif #change.path > 2 then
		return 'an order has fields, and nothing below them'
	elseif field == 'amount' and (math.type(change.value) ~= 'integer' or change.value < 1) then
		return 'an amount is a whole number from 1 on'
	elseif field == 'state' and not STATES[change.value] then
		return ("an order is open, shipped or paid, and not '%s'"):format(tostring(change.value))
	elseif change.value == 'paid' and ctx:get('orders', change.path) ~= 'shipped' then
		return 'an order is paid after it was shipped'
	end
end

function hook.before_commit(ctx)
	for _, change in ipairs(ctx.changes) do
		local reason = change.store == 'orders' and check(ctx, change)
		if reason then
			return nil, reason
		end
	end
end

return hook
