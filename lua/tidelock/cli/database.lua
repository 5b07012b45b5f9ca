-- Commands about databases.
local json = require 'tidelock.json'
local output = require 'tidelock.cli.output'
local owner = require 'tidelock.cli.owner'
local progress = require 'tidelock.cli.progress'
local shown = require 'tidelock.cli.show'
local uv = require 'luv'

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

function commands.db_create(options)
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

function commands.db_export(options)
	with_owner(options, function(ask)
		local db = find_db(ask, options.db)
		local out <close> = output.open(options.file)
		local bar <close> = progress.new('export', 'entries', out.escaped)
		local since, more = 0, true
		while more do
			local page = ask('db export', { db = db, since = since })
			for _, entry in ipairs(page.entries) do
				out:write_line(entry)
			end
			since, more = page.next, page.more
			bar.tell(since, page.total)
		end
		out:finish()
	end)
end

local function input_descriptor(file)
	return file and checked(uv.fs_open(file, 'r', 0)) or 0
end

function commands.db_import(options)
	local input = input_descriptor(options.file)
	with_owner(options, function(ask)
		local bar <close> = progress.new('import', 'entries')
		local result = ask('db import', {}, nil, { input_fd = input, progress = bar.tell })
		bar:close()
		show(options, result, function()
			say('%s  %d new entries', result.id, result.entered)
		end)
	end)
end

return commands
