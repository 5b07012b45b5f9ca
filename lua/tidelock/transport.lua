-- tidelock.transport: HTTP by itself. The transport works on a thread of its own; what comes from
-- there is brought onto this state's loop by one descriptor, watched while somebody waits or serves.
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
local native_http = take(http, 'fd', 'calm', 'start', 'listen', 'close')
local native_call = take(call_methods, 'done', 'result', 'close')
local native_server = take(server_methods, 'begin_stop', 'stopped', 'next', 'close')
local native_request = take(request_methods, 'question', 'answer', 'close')

-- --- the link to the loop ----------------------------------------------------------------------

local Link = {}
Link.__index = Link
local links = setmetatable({}, { __mode = 'k' }) -- transport -> its link
local owners = setmetatable({}, { __mode = 'k' }) -- server -> its link

local function link_of(transport)
	local link = links[transport]
	if not link then
		link = setmetatable({ fd = native_http.fd(transport), calls = {}, servers = {} }, Link)
		links[transport] = link
	end
	return link
end

-- The descriptor is watched while somebody waits or serves, and keeps the loop alive only then. The
-- poll holds the transport then, so that it is not collected meanwhile.
function Link:settle(transport)
	local wanted = not self.closed and (next(self.calls) or next(self.servers))
	local poll = self.poll
	if wanted and not poll then
		poll = uv.new_poll(self.fd)
		poll:start('r', handles.callback(function()
			if self.closed then
				self:settle(transport) -- what closed it had no memory left for this
			elseif self.poll then
				native_http.calm(transport)
				self:deliver(transport)
			end
		end))
		self.poll = poll
	elseif not wanted and poll then
		self.poll = nil
		handles.unwatch(poll)
	end
end

local function answer(request, fn)
	local _ <close> = request -- answers 500 when there was no answer
	local question = native_request.question(request)
	local ok, result = xpcall(fn, told.traced, question)
	if ok then
		if type(result) ~= 'table' then
			ok, result = false, 'a server answers with a table { status =, content_type =, body = }'
		else
			ok, result = xpcall(native_request.answer, told.traced, request, result)
		end
	end
	if not ok then
		task.report(result, 'the function of a server')
	end
end

-- Waking and serving run foreign code, which may start calls, begin and stop servers or close the
-- transport: the tables it changes are not walked meanwhile.
function Link:wake_calls()
	local done = {}
	for call, wake in pairs(self.calls) do
		if native_call.done(call) then
			done[#done + 1] = wake
		end
	end
	task.wake_all(done)
end

function Link:serve_requests(server, serving)
	local request = native_server.next(server)
	while request do
		if self.closed then
			native_request.close(request)
		else
			local ok, err = pcall(task.start_alone, answer, request, serving.fn)
			if not ok then
				native_request.close(request)
				error(err, 0)
			end
		end
		request = native_server.next(server)
	end
end

function Link:end_server(server, serving)
	self.servers[server] = nil
	local waiting = serving.waiting
	serving.waiting = {}
	for _, wake in ipairs(waiting) do
		wake()
	end
end

function Link:deliver(transport)
	self:wake_calls()
	local servers = {}
	for server in pairs(self.servers) do
		servers[#servers + 1] = server
	end
	for _, server in ipairs(servers) do
		local serving = self.servers[server]
		if serving then
			self:serve_requests(server, serving)
			if native_server.stopped(server) and self.servers[server] then
				self:end_server(server, serving)
			end
		end
	end
	self:settle(transport)
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
	local opened, err = native_http.start(self, request)
	if not opened then
		return nil, err
	end
	local call <close> = opened
	local link = link_of(self)
	task.wait('request', function(wake)
		link.calls[call] = wake
		link:settle(self)
	end, function()
		link.calls[call] = nil
		link:settle(self)
	end)
	return native_call.result(call)
end

--- serve(bind, fn [, { certificate =, key =, max_connections =, max_connections_per_peer =, idle =,
--- max_body = }]) -> server. Each request runs fn in a task of its own; what it raises is answered
--- 500 and told. Serves while this state's loop runs.
function http:serve(bind, fn, options)
	misuse.check_function(3, fn)
	local server, err = native_http.listen(self, bind, options)
	if not server then
		return nil, err
	end
	local link = link_of(self)
	link.servers[server] = { fn = fn, waiting = {}, transport = self }
	owners[server] = link
	link:settle(self)
	return server
end

--- Closes connections, cancels requests, stops servers. Closing twice is fine.
function http:close()
	local link = links[self]
	local was_open = link and not link.closed
	if link then
		link.closed = true
	end
	native_http.close(self)
	if was_open then
		link:deliver(self)
	end
end

local http_type = debug.getregistry()['tidelock.http']
function http_type.__close(self)
	return self:close()
end

-- --- servers -----------------------------------------------------------------------------------

--- Takes no more connections; requests under way get `grace` (0; at most a minute). Waits until it
--- has stopped; where waiting is refused it stops all the same.
function server_methods:stop(grace)
	native_server.begin_stop(self, grace)
	local link = owners[self]
	local serving = link and link.servers[self]
	if not serving or native_server.stopped(self) then
		return true
	end
	task.wait_among('server:stop', serving.waiting)
	return true
end

-- A server that leaves its scope stops at once, without waiting.
local server_type = debug.getregistry()['tidelock.http_server']
function server_type.__close(self)
	native_server.begin_stop(self, 0)
end

return M
