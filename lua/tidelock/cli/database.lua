-- Commands about databases.
local crypto = require 'tidelock.crypto'
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
		local databases, text = ask 'db list'
		show(options, text, function()
			for _, db in ipairs(databases) do
				say('%s  %-20s %d entries', db.id, db.name or '(no name)', db.entries)
			end
		end)
	end)
end

function commands.db_create(options)
	options.init = options.init or owner.is_first(options.data)
	with_owner(options, function(ask)
		local id = ask('db create', { name = options.name, key = options.key })
		show(options, json.encode { id = id }, function() say('%s', id) end)
	end)
end

-- One argument is a path with dots, several are one literal key each.
local function add_path(options, members)
	local path = options.path
	if options.literal or #path > 1 then
		members.keys = path
	else
		members.path = path[1]
	end
	return members
end

function commands.db_get(options)
	with_owner(options, function(ask)
		local value, text = ask('db get', add_path(options, {
			db = find_db(ask, options.db), store = options.store,
		}))
		show(options, text, function()
			if type(value) == 'string' then
				shown.say_text(value)
			else
				shown.say_json(text)
			end
		end)
	end)
end

-- A number with a fraction or an exponent, which DocStores do not have, is a text.
local function as_value(text, is_text)
	return owner.as_json(text, is_text or math.type(json.decode(text)) == 'float')
end

function commands.db_set(options)
	local value = table.remove(options.path)
	with_owner(options, function(ask)
		local id = ask('db set', add_path(options, {
			db = find_db(ask, options.db), store = options.store, key = options.key,
		}), as_value(value, options.text))
		show(options, json.encode { entry = id }, function() say('%s', id) end)
	end)
end

-- What is to stand at the end of an export: how many lines with entries came, and the exclusive or of their
-- SHA-256.
local Count = {}
Count.__index = Count

function Count:add(line)
	local digest = crypto.sha256(line)
	self.entries = self.entries + 1
	for word = 1, 4 do
		self[word] = self[word] ~ string.unpack('>i8', digest, 8 * word - 7)
	end
end

function Count:line()
	return ('{"entries":%d,"sha256":"%016x%016x%016x%016x"}'):format(self.entries, table.unpack(self, 1, 4))
end

local function new_count()
	return setmetatable({ entries = 0, 0, 0, 0, 0 }, Count)
end

function commands.db_export(options)
	with_owner(options, function(ask)
		local db = find_db(ask, options.db)
		local out <close> = output.open(options.file)
		local bar <close> = progress.new('export', 'entries', out.escaped)
		local since, more, count = 0, true, new_count()
		out:write_line '' -- says that a count is to come
		while more do
			local page = ask('db export', { db = db, since = since })
			for _, entry in ipairs(page.entries) do
				out:write_line(entry)
				count:add(entry)
			end
			since, more = page.next, page.more
			bar.tell(since, page.total)
		end
		out:write_line(count:line())
		out:finish()
	end)
end

local function input_descriptor(file)
	return file and checked(uv.fs_open(file, 'r', 0)) or 0
end

local UNCOUNTED = 'tidelock: the file does not count its entries, as exports of 0.2 do not: '
	.. 'whether lines are missing that nothing builds on cannot be told'

function commands.db_import(options)
	local input = input_descriptor(options.file)
	with_owner(options, function(ask)
		local bar <close> = progress.new('import', 'entries')
		local result, text = ask('db import', {}, nil, { input_fd = input, progress = bar.tell })
		bar:close()
		show(options, text, function()
			say('%s  %d new entries', result.id, result.entered)
			if not result.counted then
				io.stderr:write(UNCOUNTED, '\n')
			end
		end)
	end)
end

return commands
