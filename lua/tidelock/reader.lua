-- One reader of a node's events: a bounded queue between the pump and whoever takes them.
local Reader = {}
Reader.__index = Reader

local KEPT = 10000 -- events for a reader that is slow, as the node itself keeps

--- `kinds` is a set, nil for all; heard() is called after there is more to take, and at the end.
--- Active readers keep the loop alive.
function Reader.new(kinds, active, heard)
	return setmetatable({
		kinds = kinds, active = active, heard = heard, events = {}, first = 1, last = 0,
	}, Reader)
end

local function overflow(lost, time_ms)
	return { kind = 'overflow', number = lost, time_ms = time_ms, text = '' }
end

-- What does not fit is counted in an overflow event at the end of the queue.
function Reader:lose(event)
	local lost = event.kind == 'overflow' and event.number or 1
	local tail = self.events[self.last]
	if tail.kind == 'overflow' then
		self.events[self.last] = overflow(tail.number + lost, tail.time_ms)
	elseif not self.kinds or self.kinds.overflow then
		self.last = self.last + 1
		self.events[self.last] = overflow(lost, event.time_ms)
	end
end

function Reader:put(event)
	if self.closed or self.kinds and not self.kinds[event.kind] then
		return
	elseif self.last - self.first + 1 >= KEPT then
		self:lose(event)
	else
		self.last = self.last + 1
		self.events[self.last] = event
	end
end

--- The oldest event that was kept, or nil.
function Reader:take()
	if self.first > self.last then
		return nil
	end
	local event = self.events[self.first]
	self.events[self.first] = nil
	self.first = self.first + 1
	return event
end

function Reader:notify()
	if not self.closed and self.heard then
		self.heard()
	end
end

--- No more events come; those that are kept can be taken.
function Reader:close()
	if not self.closed then
		self.closed = true
		if self.heard then
			self.heard()
		end
	end
end

return Reader
