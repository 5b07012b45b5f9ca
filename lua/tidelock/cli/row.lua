-- Commands about rows of Tables.
local json = require 'tidelock.json'
local owner = require 'tidelock.cli.owner'
local shown = require 'tidelock.cli.show'
local tl = require 'tidelock'

local say, say_line, show = shown.say, shown.say_line, shown.show
local find_db, with_owner = owner.find_db, owner.with_owner

local commands = {}

-- The members that name a table, and these.
local function in_table(ask, options, members)
	members.db, members.store, members.key = find_db(ask, options.db), options.store, options.key
	return members
end

-- Calls fn(row) for each row, an exact value, page by page.
local function each_row(ask, options, fn)
	local after, left = options.after, options.limit
	repeat
		local members = in_table(ask, options, { after = after, limit = left })
		local _, text = ask('row list', members)
		local page = json.decode(text)
		for _, row in ipairs(page.rows) do
			fn(row)
		end
		after, left = page.next, left and left - #page.rows
	until after == tl.null or left == 0
end

local function say_row(row)
	if row.type then
		say('%s  (no JSON, but of type %s)', row.key, row.type)
	elseif row.error then
		say('%s  (no JSON) %s', row.key, row.text)
	else
		say_line(('%s  %s'):format(shown.escape(row.key), json.encode(row.row)))
	end
end

function commands.row_list(options)
	with_owner(options, function(ask)
		if options.json then
			local rows = json.array()
			each_row(ask, options, function(row) rows[#rows + 1] = row end)
			say_line(json.encode(rows))
		else
			each_row(ask, options, say_row)
		end
	end)
end

function commands.row_get(options)
	with_owner(options, function(ask)
		local _, text = ask('row get', in_table(ask, options, { row = options.row_key }))
		show(options, text, function() shown.say_json(text) end)
	end)
end

local function set_row(options)
	with_owner(options, function(ask)
		local set, text = ask('row set', in_table(ask, options, { row = options.row_key }),
			owner.as_json(options.value, options.text))
		show(options, text, function() say('%s', options.row_key and set.entry or set.key) end)
	end)
end

commands.row_set, commands.row_add = set_row, set_row

function commands.row_delete(options)
	with_owner(options, function(ask)
		local id = ask('row delete', in_table(ask, options, { row = options.row_key }))
		show(options, json.encode { entry = id }, function() say('%s', id) end)
	end)
end

return commands
