-- What Acme itself writes into the orders is checked before it is signed.
local hook = { databases = 'orders' }

function hook.before_commit(ctx)
	if ctx.size > 64 * 1024 then
		return nil, 'an order has at most 64 KiB'
	end
	for _, change in ipairs(ctx.changes) do
		if change.store == 'orders' and change.path[2] == 'state' and change.value == 'paid'
			and ctx:get('orders', change.path) ~= 'shipped' then
			return nil, 'an order is paid after it was shipped'
		end
	end
end

return hook
