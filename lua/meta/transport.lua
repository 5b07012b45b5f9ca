---@meta
-- tidelock.transport and tidelock.loop: what a node works with, usable alone.

---@class tidelock.transport
local transport = {}
---HTTP/1.1, in turns of the loop. A ca (PEM file) implies tls.
---@param options? { tls?: boolean, ca?: string, proxy?: string }
---@return tidelock.Http?, tidelock.Error?
function transport.http(options) end
---Transports written in Lua: not in this version.
---@param options? table
---@return nil, tidelock.Error  unsupported
function transport.new(options) end

---@class tidelock.HttpRequest
---@field address string        `host:port`
---@field path string           begins with /
---@field body? string          empty without
---@field content_type? string  application/octet-stream without
---@field max_response? tidelock.Size  16 MiB; over it the call fails with too_large
---@field dial? tidelock.Duration      longest wait for a connection
---@field idle? tidelock.Duration      longest time without progress

---@class tidelock.HttpAnswer
---@field status integer
---@field content_type? string
---@field channel string        'none' or 'tls:' and the server's certificate
---@field body string

---@class tidelock.HttpQuestion
---@field method string         'POST'; others are answered 405
---@field path string
---@field content_type? string
---@field body string
---@field remote string         where it came from; only to be shown
---@field channel string

---@class tidelock.HttpServeOptions
---@field certificate? string  PEM files; with tls both, else none
---@field key? string
---@field max_connections? integer           1,024
---@field max_connections_per_peer? integer  64; a peer is an IPv4 address or an IPv6 /64
---@field idle? tidelock.Duration            30 s
---@field max_body? tidelock.Size            1 MiB; over it the answer is 413

---@class tidelock.Http
local Http = {}
---A POST. Waits.
---@param request tidelock.HttpRequest
---@return tidelock.HttpAnswer?, tidelock.Error?
function Http:request(request) end
---Each request runs fn in a task of its own, which may wait; what fn raises is answered 500 and
---told. Serves while this state's loop runs, and keeps it alive.
---@param bind string  `host:port`; port 0 is any
---@param fn fun(request: tidelock.HttpQuestion): { status?: integer, content_type?: string, body?: string }
---@param options? tidelock.HttpServeOptions
---@return tidelock.HttpServer?, tidelock.Error?
function Http:serve(bind, fn, options) end
---Cancels requests and stops servers; one that is stopping already keeps its grace. Blocks for that.
function Http:close() end

---@class tidelock.HttpServer
local HttpServer = {}
---@return string host_port
function HttpServer:address() end
---Waits until it has stopped; where waiting is refused it stops all the same.
---@param grace? tidelock.Duration  for requests under way; 0, at most a minute
---@return true
function HttpServer:stop(grace) end

---Everything of luv is here too, under its own name. An error in a callback given to luv ends the
---script, in order when `tidelock run` runs it; an error in a task is told and ends the task.
---@class tidelock.loop : luv
---@field task fun(fn: fun(...: any), ...: any): tidelock.Task
---@field sleep fun(duration: tidelock.Duration)
local loop = {}
---Runs fn() as a task once, after at least this long.
---@param duration tidelock.Duration
---@param fn function
---@return tidelock.Timer
function loop.after(duration, fn) end
---Runs fn() as a task again and again, at least this long apart, one run at a time.
---@param duration tidelock.Duration  at least a millisecond
---@param fn function
---@return tidelock.Timer
function loop.every(duration, fn) end
---Runs the loop until no task, handle or server is left; with a mode as luv's.
---@param mode? 'default'|'once'|'nowait'
---@return boolean? more  with a mode: whether something is left
function loop.run(mode) end

---@class tidelock.Timer  leaving its scope (<close>) stops it
local Timer = {}
---@return boolean was_running
function Timer:stop() end
