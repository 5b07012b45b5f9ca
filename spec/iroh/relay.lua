-- The relay that iroh's own authors publish (`make deps-relay` builds it), on ports that the system chooses.
local H = require 'spec.helper'
local Led = dofile 'spec/iroh/led.lua'

local PROGRAM = 'build/relay/bin/iroh-relay'

local Relay = {}

function Relay.is_there()
	local file <close> = io.open(PROGRAM)
	return file ~= nil
end

local function configuration(options)
	local lines = { ('http_bind_addr = "%s:%d"'):format(options.host or '127.0.0.1', options.port or 0),
		'enable_metrics = false' }
	if options.token then lines[#lines + 1] = ('access.shared_token = ["%s"]'):format(options.token) end
	if options.discovery then
		lines[#lines + 1] = ([[
enable_quic_addr_discovery = true
[tls]
cert_mode = "Manual"
manual_cert_path = "%s/cert.pem"
manual_key_path = "%s/key.pem"
quic_bind_addr = "%s:0"]]):format(options.discovery, options.discovery, options.host or '127.0.0.1')
	end
	return table.concat(lines, '\n') .. '\n'
end

--- A certificate of address discovery, made for `host`: the folder of cert.pem, key.pem and cert.der.
function Relay.certificate(host)
	local folder = H.folder()
	assert(os.execute(([[cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
		-days 2 -subj /CN=relay.test -addext subjectAltName=IP:%s -addext basicConstraints=critical,CA:FALSE \
		-keyout key.pem -out cert.pem 2>/dev/null && openssl x509 -in cert.pem -outform der -out cert.der
	]]):format(folder, host)))
	return folder
end

--- Starts one: { host =, port =, token =, discovery = folder of its certificate, within = words that come
--- before its own }. Its `url` and `quic_port` are there when this returns.
function Relay.start(options)
	local folder = H.folder()
	local file = H.write(folder .. '/relay.toml', configuration(options))
	local words = table.move(options.within or {}, 1, #(options.within or {}), 1, {})
	for _, word in ipairs { PROGRAM, '--dev', '--config-path', file } do words[#words + 1] = word end
	local self = Led.start(table.remove(words, 1), words, { RUST_LOG = 'info', NO_COLOR = '1' }, true)
	H.wait_for(function()
		self.url = (self.out .. self.err):match 'relay: serving on ([%d.]+:%d+)'
		self.quic_port = math.tointeger((self.out .. self.err):match 'QUIC server listening on .-[%d.]+:(%d+)')
		return self.url and (self.quic_port or not options.discovery) or self.status
	end)
	assert(not self.status, self.out .. self.err)
	self.url = 'http://' .. self.url .. '/'
	return self
end

return Relay
