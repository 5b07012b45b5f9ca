-- What this version does not have says so: nil and an error with the code `unsupported`.

--- The results of a call to `name`; `instead` says what to do.
return function(name, instead)
	return nil, setmetatable({
		code = 'unsupported',
		message = ('%s is not part of this version; %s'):format(name, instead),
	}, debug.getregistry()['tidelock.error'])
end
