std = 'lua54'
max_line_length = 110
files['spec'] = { std = 'lua54+busted' }
-- Programs get their own arguments.
files['examples'] = { globals = { 'arg' } }
files['spec/lua/runner.lua'] = { globals = { 'arg' } }
-- What cells have beside Lua.
files['examples/hooks'] = { read_globals = { 'text' } }
-- Bombs are no good examples, and the scripts of fleets run in cells as well.
exclude_files = { 'spec/bombs' }
-- Type files describe; nothing in them runs.
files['lua/meta'] = { ignore = { '21.', '221', '241', '311' } }
files['lua/meta/luv.lua'] = { ignore = { '631' } }
