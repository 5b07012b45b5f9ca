-- tidelock.transport: HTTP by itself. Its loop turns inside luv's: when its descriptor is readable and
-- when its time has come, while something is under way.
local core = require 'tidelock.core'
local native = require 'tidelock.transport_core'
local handles = require 'tidelock.handles'
local misuse = require 'tidelock.misuse'
local task = require 'tidelock.task'
local told = require 'tidelock.told'
local unsupported = require 'tidelock.unsupported'
local uv = require 'luv'

local http = core.methods 'tidelock.http'
local call_methods = core.methods 'tidelock.http_call'
local server_methods = core.methods 'tidelock.http_server'
local request_methods = core.methods 'tidelock.http_request'

-- What only this file needs is taken off the handles.
local function take(methods, ...)
	local taken = {}
	for _, name in ipairs { ... } do
		taken[name], methods[name] = methods[name], nil
	end
	return taken
end
local native_http = take(http, 'fd', 'due', 'turn', 'next', 'start', 'listen', 'close')
local native_call = take(call_methods, 'result', 'close')
local native_server = take(server_methods, 'begin_stop', 'close')
local native_request = take(request_methods, 'question', 'answer', 'close')

-- --- the link to the loop ----------------------------------------------------------------------

local Link = {}
Link.__index = Link
local links = setmetatable({}, { __mode = 'k' }) -- transport -> its link
local served = setmetatable({}, { __mode = 'k' }) -- server -> how it is served

-- What is under way is known by its address. The transport knows what that is.
local function link_of(transport)
	local link = links[transport]
	if not link then
		link = setmetatable({ transport = transport, calls = {}, servers = {} }, Link)
		links[transport] = link
	end
	return link
end

-- The timer repeats: when this fails half way, for want of memory, it comes again.
function Link:heard()
	if self.timer then
		self.timer:again()
		native_http.turn(self.transport) -- a forked child's cannot, and settling sees that
		self:deliver()
		self:settle()
	end
end

function Link:watch()
	self.callback = handles.callback(function() self:heard() end)
	self.timer = self.timer or uv.new_timer()
	self.timer:start(1, 1, self.callback)
	self.idle = self.idle or uv.new_idle()
	local poll = uv.new_poll(native_http.fd(self.transport))
	poll:start('r', self.callback)
	self.poll = poll
end

function Link:rest()
	local poll, timer, idle = self.poll, self.timer, self.idle
	self.poll, self.timer, self.idle, self.callback = nil, nil, nil, nil
	for _, handle in pairs { timer, idle } do
		handle:stop()
		handles.close(handle)
	end
	if poll then
		handles.unwatch(poll)
	end
end

-- Call it after whatever may have moved something. While something is under way luv watches it, which
-- keeps the loop alive and the transport from being collected.
function Link:settle()
	local due = not self.closed and native_http.due(self.transport)
	if not due then
		self:rest()
		return
	elseif not self.poll then
		self:watch()
	end
	if due == 0 then
		self.idle:start(self.callback)
		self.timer:stop()
	else
		self.idle:stop()
		if due > 0 then self.timer:start(due, 1, self.callback) else self.timer:stop() end
	end
end

function Link:__close()
	self:settle()
end

local function respond(request, fn)
	local _ <close> = request -- answers 500 when there was no answer
	local question = native_request.question(request)
	local ok, result = xpcall(fn, told.traced, question)
	if ok then
		if type(result) ~= 'table' then
			ok, result = false, 'a server answers with a table { status =, content_type =, body = }'
		else
			local err
			ok, result, err = xpcall(native_request.answer, told.traced, request, result)
			ok, result = ok and result, err or result
		end
	end
	if not ok then
		task.report(result, 'the function of a server')
	end
end

local function serve(link, request, fn)
	local _ <close> = link
	respond(request, fn)
end

function Link:take_request(serving, request)
	local ok, err = pcall(task.start_alone, serve, self, request, serving.fn)
	if not ok then
		native_request.close(request)
		error(err, 0)
	end
end

-- The server has stopped.
function Link:end_server(server, serving)
	self.servers[server] = nil
	task.wake_all(serving.waiting)
end

-- Waking and serving run foreign code, which may start calls, begin and stop servers or close the
-- transport.
function Link:deliver()
	while not self.closed do
		local address, request = native_http.next(self.transport)
		local serving = self.servers[address]
		if not address then
			return
		elseif request and serving then
			self:take_request(serving, request)
		elseif request then
			native_request.close(request)
		elseif serving then
			self:end_server(address, serving)
		elseif self.calls[address] then
			self.calls[address]()
		end
	end
end

-- After the transport has closed: nobody waits any more.
function Link:wake_everyone()
	local waiting = {}
	for _, wake in pairs(self.calls) do
		waiting[#waiting + 1] = wake
	end
	for _, serving in pairs(self.servers) do
		table.move(serving.waiting, 1, #serving.waiting, #waiting + 1, waiting)
	end
	self.servers = {}
	task.wake_all(waiting)
end

-- --- transports --------------------------------------------------------------------------------

local M = {}

--- http { tls =, ca =, proxy = }: a transport of its own; a ca implies tls.
function M.http(options)
	return native.http(options)
end

--- Not in this version: a transport written in Lua would have to run on the engine's thread.
function M.new()
	return unsupported('tidelock.transport.new', 'a transport is written in C (tidelock/ext.h)')
end

--- request { address =, path =, body =, content_type =, max_response =, dial =, idle = }: a POST.
--- Waits -> { status =, content_type =, channel =, body = }.
function http:request(request)
	-- Before it is sent: whether a call may wait does not depend on how fast it is.
	task.check_waiting 'request'
	local opened, address = native_http.start(self, request)
	if not opened then
		return nil, address
	end
	local link <close> = link_of(self)
	local call <close> = opened
	task.wait('request', function(wake)
		link.calls[address] = wake
		link:settle()
	end, function()
		link.calls[address] = nil
	end)
	return native_call.result(call)
end

--- serve(bind, fn [, { certificate =, key =, max_connections =, max_connections_per_peer =, idle =,
--- max_body = }]) -> server. Each request runs fn in a task of its own; what it raises is answered
--- 500 and told. Serves while this state's loop runs.
function http:serve(bind, fn, options)
	misuse.check_function(3, fn)
	local server, address = native_http.listen(self, bind, options)
	if not server then
		return nil, address
	end
	local link = link_of(self)
	local serving = { server = server, link = link, address = address, fn = fn, waiting = {} }
	link.servers[address], served[server] = serving, serving
	link:settle()
	return server
end

--- Closes connections, cancels requests, stops servers. Closing twice is fine.
function http:close()
	local link = links[self]
	if not link or link.closed then
		native_http.close(self)
		return
	end
	link.closed = true
	local ok, err = pcall(link.rest, link) -- before the descriptor goes
	native_http.close(self)
	link:wake_everyone()
	if not ok then
		error(err, 0)
	end
end

local http_type = debug.getregistry()['tidelock.http']
function http_type.__close(self)
	return self:close()
end

-- --- servers -----------------------------------------------------------------------------------

local function begin_stop(server, grace)
	native_server.begin_stop(server, grace)
	local serving = served[server]
	if serving then
		serving.link:settle()
	end
	return serving
end

--- Takes no more connections; requests under way get `grace` (0; at most a minute). Waits until it
--- has stopped; where waiting is refused it stops all the same.
function server_methods:stop(grace)
	local serving = begin_stop(self, grace)
	local link = serving and serving.link
	-- In a forked child nothing is watched any more.
	if link and link.poll and link.servers[serving.address] == serving then
		task.wait_among('server:stop', serving.waiting)
	end
	return true
end

-- A server that leaves its scope stops at once, without waiting.
local server_type = debug.getregistry()['tidelock.http_server']
function server_type.__close(self)
	begin_stop(self, 0)
end

return M
