-- What each device of the family starts by itself.
local rule, keyring = require 'tidelock.rule', require 'tidelock.keyring'
local family = keyring 'family.keys'

local function is_night(ctx)
	return ctx.hour >= 22 or ctx.hour < 6
end

return {
	rule { 'photos at night', databases = 'photos*', peers = family.nas, on_commit = false, every = '30m',
		rate = '2MiB/s', when = is_night },
	rule { 'everything to the nas', databases = '*', peers = family.nas, every = '1m', discover = true },
	rule { 'laptops in one house', databases = 'shared*', peers = family.laptops },
}
