-- Commands about access requests of others.
local json = require 'tidelock.json'
local owner = require 'tidelock.cli.owner'
local shown = require 'tidelock.cli.show'

local escape, say, say_line, show = shown.escape, shown.say, shown.say_line, shown.show
local with_owner = owner.with_owner

local commands = {}

local function say_request(request)
	say_line(('%s  %-9s %s'):format(request.request_id, request.requested_permission,
		escape(request.requesting_key_name)))
	say('  key      %s%s', request.requesting_pubkey,
		request.present and (', has %s there, %s'):format(request.present.permission, request.present.status) or '')
	say('  database %s', request.tree_id)
	say('  asked    %s%s', request.timestamp, request.peer_address and ' from ' .. request.peer_address or '')
	if request.decided_by then
		say('  %s %s by %s', request.status, request.decided_at, request.decided_by)
	end
end

function commands.access_list(options)
	with_owner(options, function(ask)
		local requests, text = ask('access list', { name = options.state })
		show(options, text, function()
			for _, request in ipairs(requests) do
				say_request(request)
			end
		end)
	end)
end

function commands.access_approve(options)
	with_owner(options, function(ask)
		local members = { request = options.request, key = options.key, name = options.name }
		local answer = ask('access approve', members)
		show(options, json.encode { request_id = options.request, hint = answer.hint }, function()
			say('approved %s', options.request)
			if answer.hint then
				say('%s', answer.hint)
			end
		end)
	end)
end

function commands.access_reject(options)
	with_owner(options, function(ask)
		ask('access reject', { request = options.request, key = options.key })
		show(options, json.encode { request_id = options.request }, function()
			say('rejected %s', options.request)
		end)
	end)
end

return commands
