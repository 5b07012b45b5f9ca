-- Commands about a node as a whole.
local core = require 'tidelock.core'
local graph = require 'tidelock.graph'
local owner = require 'tidelock.cli.owner'
local program = require 'tidelock.program'
local progress = require 'tidelock.cli.progress'
local shown = require 'tidelock.cli.show'
local tl = require 'tidelock'

local say, show = shown.say, shown.show
local find_db, with_owner = owner.find_db, owner.with_owner

local commands = {}

function commands.version(options)
	show(options, { version = core.version() }, function(v) say('tidelock %s', v.version) end)
end

function commands.init(options)
	local node <close> = assert(owner.open(options, {}))
	local key = assert(node:device_key())
	show(options, { data = options.data, device_key = key }, function()
		say('data directory %s is ready', options.data)
		say('device key     %s', key)
	end)
end

function commands.status(options)
	with_owner(options, function(ask)
		show(options, ask 'status', function(status)
			say('%s  tidelock %s  pid %d', status.name, status.version, status.pid)
			say('device key %s', status.device_key)
			for _, server in ipairs(status.sync and status.sync.servers or {}) do
				say('serving    %s', type(server) == 'table' and server.address or server)
			end
			for _, db in ipairs(ask 'db list') do
				say('database   %s  %-16s %d entries, %d tips, %d pending, %d quarantined',
					graph.short(db.id), db.name or '(no name)', db.entries, db.tips,
					db.pending, db.quarantined)
			end
			for _, pair in ipairs(status.sync and status.sync.pairs or {}) do
				say('relation   %s with %s: %s%s', graph.short(pair.db), pair.peer,
					pair.state, pair.last_error and ': ' .. pair.last_error or '')
			end
		end)
	end)
end

function commands.log(options)
	with_owner(options, function(ask)
		local entries = ask('log', { db = find_db(ask, options.db), limit = options.limit })
		show(options, entries, function()
			local function label(entry)
				return ('%s  height %d, %d bytes%s'):format(graph.short(entry.id),
					entry.height, entry.size, entry.void and ', void' or '')
			end
			if options.graph then
				graph.draw(entries, label, function(line) say('%s', line) end)
				return
			end
			for index = #entries, 1, -1 do
				say('%s', label(entries[index]))
			end
		end)
	end)
end

function commands.verify(options)
	return with_owner(options, function(ask)
		local db = options.db and find_db(ask, options.db)
		local bar <close> = progress.new('verify', 'entries')
		local result = ask('verify', { db = db }, nil, { progress = bar.tell })
		bar:close()
		show(options, result, function()
			for _, finding in ipairs(result.findings) do
				local about = finding.entry or finding.db
				say('%s: %s', about and graph.short(about) or 'store', finding.text)
			end
			say('%d entries, %d findings; set aside: %d pending, %d quarantined', result.entries,
				result.count, result.pending, result.quarantined)
		end)
		return result.count == 0 and 0 or 3
	end)
end

-- The owner may have another working directory.
local function absolute(file)
	return file:sub(1, 1) == '/' and file or tl.loop.cwd() .. '/' .. file
end

-- A value whose end takes the file away when the command was interrupted: the owner may have been ready
-- at that moment.
local function guarded(file)
	program.partial(file)
	return setmetatable({}, { __close = function()
		if program.stopping() then
			os.remove(file)
		end
		program.partial()
	end })
end

function commands.backup(options)
	local file = absolute(options.file)
	if tl.loop.fs_lstat(file) then
		shown.refuse('%s exists already; choose a new file for the backup', options.file)
	end
	with_owner(options, function(ask)
		local bar <close> = progress.new('backup', 'MiB')
		local _ <close> = guarded(file)
		local result = ask('backup', { file = file }, nil, { progress = bar.tell })
		bar:close()
		show(options, result, function() say('%s  %d bytes', options.file, result.bytes) end)
	end)
end

return commands
