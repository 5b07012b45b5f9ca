-- ends: units memory
-- Blocks of one size after those of another: what was freed is no use to the next.
return function()
	while true do
		for width = 1, 24 do
			local kept = {}
			for i = 1, 8000 do
				local row = {}
				for column = 1, width do row[column] = column end
				kept[i] = row
			end
		end
	end
end
