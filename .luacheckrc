std = 'lua54'
max_line_length = 110
files['spec'] = { std = 'lua54+busted' }
-- Programs get their own arguments.
files['examples'] = { globals = { 'arg' } }
files['spec/lua/runner.lua'] = { globals = { 'arg' } }
