-- Commands about databases.
local json = require 'tidelock.json'
local owner = require 'tidelock.cli.owner'
local shown = require 'tidelock.cli.show'

local checked, say, show = shown.checked, shown.say, shown.show
local find_db, with_owner = owner.find_db, owner.with_owner

local commands = {}

function commands.db_list(options)
	with_owner(options, function(ask)
		show(options, ask 'db list', function(dbs)
			for _, db in ipairs(dbs) do
				say('%s  %-20s %d entries', db.id, db.name or '(no name)', db.entries)
			end
		end)
	end)
end

-- Makes the key when it is missing: a first database should take one command.
local function ensure_key(options)
	local ok, err = pcall(function()
		local node <close> = assert(owner.open(options, { sync = false }))
		local _, missing = node:get_public_key(options.key)
		if missing then
			assert(node:add_private_key(options.key))
		end
	end)
	-- Another process has the directory open: then the key must be there already.
	if not ok and not (type(err) == 'table' and err.code == 'store_locked') then
		error(err, 0)
	end
end

function commands.db_create(options)
	ensure_key(options)
	with_owner(options, function(ask)
		local id = ask('db create', { name = options.name, key = options.key })
		show(options, { id = id }, function() say('%s', id) end)
	end)
end

function commands.db_get(options)
	with_owner(options, function(ask)
		local value, text = ask('db get', { db = find_db(ask, options.db), store = options.store,
			path = options.path })
		if options.json then
			say('%s', text)
		elseif type(value) == 'string' then
			shown.say_text(value)
		else
			shown.say_json(text)
		end
	end)
end

-- A value that reads as JSON is that value, everything else a text. An integer that is too large is
-- no text: it is refused where it would be stored.
local function value_text(text)
	if json.decode(text) ~= nil or text:find '^%-?[1-9]%d*$' then
		return text
	end
	return json.encode(text)
end

function commands.db_set(options)
	with_owner(options, function(ask)
		local id = ask('db set', { db = find_db(ask, options.db), store = options.store,
			path = options.path, key = options.key }, value_text(options.value))
		show(options, { entry = id }, function() say('%s', id) end)
	end)
end

local function opened(name, mode, otherwise)
	return name and checked(io.open(name, mode)) or otherwise
end

function commands.db_export(options)
	with_owner(options, function(ask)
		local db = find_db(ask, options.db)
		local out = opened(options.file, 'wb', io.stdout)
		local escaped = out == io.stdout and shown.to_terminal()
		local since, more = 0, true
		while more do
			local page = ask('db export', { db = db, since = since })
			for _, entry in ipairs(page.entries) do
				checked(out:write(escaped and shown.escape(entry) or entry, '\n'))
			end
			since, more = page.next, page.more
		end
		checked(out:flush())
		if options.file then
			checked(out:close())
		end
	end)
end

function commands.db_import(options)
	local input = opened(options.file, 'rb', io.stdin)
	local node <close> = assert(owner.open(options, { sync = false }))
	local id, entered = node:import(function() return input:read(65536) end)
	if not id then
		error(entered, 0)
	end
	show(options, { id = id, entered = entered }, function()
		say('%s  %d new entries', id, entered)
	end)
end

return commands
