-- Networks of namespaces, which only root can make. Each is the one that a sleeping process of ours has, and
-- goes with it: when the case ends, or when we are killed half-way. So there are no names to clash or to be
-- left over.
local uv = require 'luv'
local H = require 'spec.helper'

local Net = {}
Net.__index = Net

--- Whether this can be done here, and if not, why.
function Net.is_there()
	for _, tool in ipairs { 'ip', 'nft', 'nsenter', 'setpriv' } do
		if not os.execute(('command -v %s >/dev/null'):format(tool)) then return false, tool .. ' is missing' end
	end
	return os.execute 'unshare -n true 2>/dev/null' == true, 'not root'
end

--- Words that run a command in the namespace `name`.
function Net:within(name)
	return { 'nsenter', '--net=/proc/' .. self.holders[name] .. '/ns/net' }
end

--- Runs a line of shell there; its output.
function Net:run(name, line, ...)
	line = line:format(...)
	local inside = ("nsenter --net=/proc/%d/ns/net sh -ec '%s' 2>&1"):format(self.holders[name], line)
	local pipe = assert(io.popen(inside))
	local said = pipe:read 'a'
	if not pipe:close() then error(('%s: %s\n%s'):format(name, line, said), 2) end
	return said
end

local function hold(self, name)
	local handle, pid
	handle, pid = uv.spawn('setpriv', {
		args = { '--pdeathsig', 'KILL', 'unshare', '-n', 'sleep', 'infinity' },
	}, function()
		handle:close()
		self.ended = self.ended + 1
	end)
	assert(handle, pid)
	self.holders[name] = pid
	self.count = self.count + 1
	local own = uv.fs_readlink '/proc/self/ns/net'
	H.wait_for(function()
		local at = uv.fs_readlink(('/proc/%d/ns/net'):format(pid))
		return at and at ~= own
	end)
	self:run(name, 'ip link set lo up')
end

--- A pair of ends, `a` in the namespace of that name as the device `a_device`, and `b`.
function Net:link(a, a_device, b, b_device)
	self:run(a, 'ip link add %s type veth peer name %s netns %d', a_device, b_device, self.holders[b])
	self:run(a, 'ip link set %s up', a_device)
	self:run(b, 'ip link set %s up', b_device)
end

--- Namespaces of these names, without links.
function Net.new(names)
	local self = setmetatable({ holders = {}, count = 0, ended = 0 }, Net)
	for _, name in ipairs(names) do hold(self, name) end
	return self
end

function Net:close()
	for _, pid in pairs(self.holders) do uv.kill(pid, 'sigkill') end
	H.wait_for(function() return self.ended == self.count end)
end

-- A router that masks what is behind it by its own address and keeps ports; it lets in what belongs to
-- something that went out. The input chain counts: without it the table of connections would take the other
-- side's first packet for a connection of the router's own, and the answer would get another port.
local NAT = [[
table ip masked {
 chain behind {
  type nat hook postrouting priority 100
  oif "wan0" masquerade %s
 }
}
table ip guarded {
 chain through {
  type filter hook forward priority 0; policy drop
  ct state established,related accept
  iif "lan0" accept
 }
 chain own {
  type filter hook input priority 0; policy accept
  iif "wan0" ct state established,related accept
  iif "wan0" drop
 }
}
]]

local CUT = [[
table inet broken {
 chain coming {
  type filter hook prerouting priority -300
  meta l4proto udp drop
 }
}
]]

local function rule(self, name, rules)
	self:run(name, 'nft -f - <<END\n%sEND\n', rules)
end

local function router(self, side, number, how)
	local host, name = 'h' .. side, 'r' .. side
	self:link(name, 'wan0', 'wan', 'to_' .. side)
	self:run('wan', 'ip link set to_%s master bridge', side)
	self:link(host, 'eth0', name, 'lan0')
	self:run(host, 'ip address add 192.168.%d.2/24 dev eth0', number)
	self:run(host, 'ip route add default via 192.168.%d.1', number)
	self:run(name, 'ip address add 192.168.%d.1/24 dev lan0', number)
	self:run(name, 'ip address add 198.51.100.%d/24 dev wan0', number)
	self:run(name, 'echo 1 > /proc/sys/net/ipv4/ip_forward')
	rule(self, name, NAT:format(how or ''))
end

--- The host `pub` at 198.51.100.9, and for each of `sides` ('a', 'b') a host `ha` behind a router `ra`, which
--- is a NAT. `how`: of that NAT: 'random' where each way gets another port.
function Net.behind_nats(sides, how)
	local names = { 'wan', 'pub' }
	for _, side in ipairs(sides) do
		names[#names + 1], names[#names + 2] = 'h' .. side, 'r' .. side
	end
	local self = Net.new(names)
	self:run('wan', 'ip link add bridge type bridge; ip link set bridge up')
	self:link('pub', 'eth0', 'wan', 'to_pub')
	self:run('wan', 'ip link set to_pub master bridge')
	self:run('pub', 'ip address add 198.51.100.9/24 dev eth0')
	for i, side in ipairs(sides) do router(self, side, 10 + i, how) end
	return self
end

--- Loses each datagram that comes to `name`, without a word to whoever sent it; or does so no more.
function Net:cut(name)
	rule(self, name, CUT)
end

function Net:mend(name)
	self:run(name, 'nft delete table inet broken')
end

return Net
