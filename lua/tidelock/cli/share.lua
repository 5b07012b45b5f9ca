-- Commands about shares: inviting another node to a database, and joining one.
local json = require 'tidelock.json'
local owner = require 'tidelock.cli.owner'
local program = require 'tidelock.program'
local shown = require 'tidelock.cli.show'

local refuse, say, say_line, show = shown.refuse, shown.say, shown.say_line, shown.show
local find_db, with_owner = owner.find_db, owner.with_owner

local commands = {}

local QUIET = 2 -- modules of white around a code
local BLOCKS = { [0] = ' ', '▀', '▄', '█' } -- of two rows of modules, white ones being drawn

-- A QR code for a terminal, white on its background whatever that is; two rows are one line. `rows` is a
-- list of texts of 0 and 1 (dark).
local function draw(rows)
	local function is_white(y, x)
		local row = rows[y]
		return not row or row:byte(x) ~= 49 -- '1'
	end
	for y = 1 - QUIET, #rows + QUIET, 2 do
		local line = {}
		for x = 1 - QUIET, #rows + QUIET do
			local top, bottom = is_white(y, x), y + 1 <= #rows + QUIET and is_white(y + 1, x)
			line[#line + 1] = BLOCKS[(top and 1 or 0) + (bottom and 2 or 0)]
		end
		shown.write(io.stdout, '\27[97;40m', table.concat(line), '\27[0m\n')
	end
end

local function list(options)
	with_owner(options, function(ask)
		local shares, text = ask 'share list'
		show(options, text, function()
			for _, share in ipairs(shares) do
				say('%s  %-8s %-9s %s  %s', share.id, share.state, share.permission, share.db,
					share.used_by and ('by %s, %s'):format(share.used_by, share.used_at)
						or ('until %s'):format(share.expires))
			end
		end)
	end)
end

local function revoke(options)
	with_owner(options, function(ask)
		ask('share revoke', { name = options.revoke })
		show(options, json.encode { id = options.revoke }, function() say('revoked %s', options.revoke) end)
	end)
end

local function make(options)
	if options.expires == 0 then
		refuse('bad_argument', 'a share that expires at once lets nobody in')
	end
	with_owner(options, function(ask)
		local share, text = ask('share', {
			db = find_db(ask, options.db), permission = options.permission, key = options.key,
			expires = math.ceil(options.expires * 1000),
		})
		show(options, text, function()
			say_line(share.text)
			local rows = program.qr and shown.to_terminal() and program.qr(share.text)
			if rows then
				draw(rows)
			end
		end)
	end)
end

function commands.share(options)
	if options.list then
		return list(options)
	elseif options.revoke then
		return revoke(options)
	elseif not options.db then
		refuse('bad_argument', 'say which database is shared: tidelock share DB; --list shows what was')
	end
	return make(options)
end

-- Whoever reads the list of processes sees arguments, too.
local function text_of(options)
	local text = options.text == '-' and (io.read '*l' or '') or options.text
	return text:match '^%s*(.-)%s*$'
end

local RELAY_MODES = { default = true, disabled = true, staging = true }

-- --relay, given once with a mode or with URLs, as the transport has it.
local function relays(texts)
	if #texts < 2 and not (texts[1] and texts[1]:find '://') then
		return texts[1]
	end
	local urls = {}
	for _, text in ipairs(texts) do
		if RELAY_MODES[text] then
			refuse('bad_argument', ("--relay %s goes with no other --relay"):format(text))
		end
		urls[#urls + 1] = { url = text }
	end
	return urls
end

-- What join enables where no other process has the directory open.
local function transport(options)
	local iroh = { relay_mode = relays(options.relay), lookup = options.lookup }
	if options.transport ~= 'iroh' and next(iroh) then
		refuse('bad_argument', '--relay and --lookup are for --transport iroh')
	end
	return { name = options.transport, options = options.transport == 'iroh' and iroh or nil }
end

function commands.join(options)
	local text = text_of(options)
	options.init = options.init or owner.is_first(options.data)
	with_owner(options, function(ask)
		local id = ask('join', { text = text, key = options.key })
		show(options, json.encode { id = id }, function() say('%s', id) end)
	end, transport(options))
end

return commands
