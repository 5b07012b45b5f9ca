-- What a node asks the rules of a file, one thing at a time, so that a rule that fails spoils nothing of
-- another. Runs in cells.
local rule = require 'tidelock.rule'

local MEANT, NOT_MEANT, TO_BE_ASKED = 'y', 'n', '?'

--- The rules, and fn(field, number, thing): without a number a letter for each rule, whether it means this
--- peer or database ('?': a function of the script says so); with one what that function says.
return function(rules)
	rule.check(rules)
	local letters = {}
	return rules, function(field, number, thing)
		if number then
			return rule.answer(rules[number], field, thing)
		end
		for i, one in ipairs(rules) do
			letters[i] = one.asks[field] and TO_BE_ASKED or rule.answer(one, field, thing) and MEANT or NOT_MEANT
		end
		return table.concat(letters)
	end
end
