-- What a script can do in a cell, and what it cannot.
local H = require 'spec.helper'
local core = require 'tidelock.script_core'

local function open(text, kind)
	local script, why = core.open(kind or 'work', 'policy.lua', text)
	assert(script, why and why.where .. ': ' .. why.text)
	return script
end

-- What `return …` gives in a cell.
local function value_of(expression, ...)
	local script <close> = open(('return function(...) return %s end'):format(expression))
	local results = table.pack(script:call(nil, 'work', ...))
	if results[1] == nil and type(results[2]) == 'table' and results[2].kind then
		error(results[2].text, 0)
	end
	return table.unpack(results, 1, results.n)
end

local function failure_of(text, profile, ...)
	local script <close> = open(text, profile == 'decide' and 'decide' or 'work')
	local none, why = script:call(nil, profile or 'work', ...)
	assert.is_nil(none)
	return why
end

local function refusal_of(text)
	local script, why = core.open('work', 'policy.lua', text)
	assert.is_nil(script)
	return why
end

describe('a cell', function()
	teardown(H.clean)

	it('has the functions that the README lists, and no others', function()
		local script <close> = open 'return 1'
		local listed, found = {}, {}
		local page = assert(io.open 'bindings/lua/script/README.md'):read 'a'
		local part = page:match '## The environment\n(.-)\nNot there:'
		for line in part:gmatch '[^\n]+' do
			for name in (line:match '^| (`.-) |' or ''):gmatch '`([%w_.]+)`' do
				listed[#listed + 1] = name
			end
		end
		for _, name in ipairs(script:names()) do
			found[#found + 1] = name
		end
		-- `me` of this node has no fields where nobody said who it is.
		for i = #listed, 1, -1 do
			if listed[i]:find '^me%.' then
				table.remove(listed, i)
			end
		end
		table.sort(listed)
		table.sort(found)
		assert.are.same(found, listed)
	end)

	it('has nothing of what the README says is not there', function()
		local page = assert(io.open 'bindings/lua/script/README.md'):read 'a'
		local part, count = page:match '\nNot there:\n(.*)', 0
		for line in part:gmatch '[^\n]+' do
			for name in (line:match '^| (`.-) |' or ''):gmatch '`([%w_.]+)`' do
				local why = failure_of(('return function() return %s end'):format(name))
				assert.are.equal('error', why.kind)
				assert.is_truthy(why.text:find('there is no ' .. name, 1, true), why.text)
				count = count + 1
			end
		end
		assert.is_true(count > 25)
	end)

	it('takes and gives plain data', function()
		local script <close> = open 'return function(...) return select("#", ...), ... end'
		local deep = { list = { 1, 2.5, 'x\0y' }, ['a b'] = { [true] = false } }
		local count, one, two, three, four = script:call(nil, 'work', nil, deep, -1, math.huge)
		assert.are.equal(4, count)
		assert.is_nil(one)
		assert.are.same(deep, two)
		assert.are.equal('integer', math.type(three))
		assert.are.equal(math.huge, four)
	end)

	it('refuses what is no plain data', function()
		local cyclic, deep = {}, {}
		local at = deep
		cyclic[1] = cyclic
		for _ = 1, 32 do
			at[1] = {}
			at = at[1]
		end
		local script <close> = open 'return function(a) return a end'
		for _, one in ipairs { cyclic, deep, { print }, setmetatable({}, {}), ('x'):rep(1 << 20) } do
			assert.is_false(pcall(script.call, script, nil, 'work', one))
		end
		for text, said in pairs {
			['local t = {} t[1] = t return t'] = 'contains itself',
			['local t = {} for _ = 1, 40 do t = { t } end return t'] = '32 levels',
			['return print'] = 'no function',
			['local s = ("x"):rep(600000) return { s, s }'] = 'at most 1048576 bytes',
		} do
			local why = failure_of(('return function() %s end'):format(text))
			assert.is_truthy(why.text:find(said, 1, true), why.text)
		end
	end)

	it('walks in one order: numbers, then strings by their bytes', function()
		assert.are.equal('-1 1 1.5 2 A Z a b é', value_of([[
			(function(t) local keys = {} for k in pairs(t) do keys[#keys + 1] = tostring(k) end
			return table.concat(keys, ' ') end)(...)]], { 1, 2, [-1] = 1, [1.5] = 1,
			b = 1, a = 1, Z = 1, A = 1, ['é'] = 1 }))
		local key, value = value_of('next(...)', { b = 1, a = 2, [9] = 3 })
		assert.are.same({ 9, 3 }, { key, value })
		assert.is_nil((value_of 'next({})'))
		local why = failure_of 'return function() for k in pairs { [print] = 1 } do end end'
		assert.is_truthy(why.text:find 'no order')
	end)

	it('may change what it walks over', function()
		assert.are.same({ a = 1, c = 3, x = 9 }, value_of([[
			(function(t) for k in pairs(t) do t.b = nil t.x = 9 end return t end)(...)]], { a = 1, b = 2, c = 3 }))
	end)

	it('names what was meant', function()
		for text, near in pairs {
			['prnt(1)'] = 'print', ['string.sup(1)'] = 'sub', ['("x"):lowre()'] = 'lower',
			['tabel.sort{}'] = 'table',
		} do
			local why = failure_of(('return function()\n\n%s end'):format(text))
			assert.is_truthy(why.text:find('did you mean ' .. near, 1, true), why.text)
			assert.are.equal('policy.lua:3', why.where)
		end
	end)

	it('tells errors with their place and never asks an object', function()
		local why = failure_of 'return function()\n error "no" end'
		assert.are.same({ 'error', 'policy.lua:2', 'no' }, { why.kind, why.where, why.text })
		assert.are.equal('(a table)', failure_of('return function() error {} end').text)
		assert.are.equal('(a nil)', failure_of('return function() error() end').text)
		why = refusal_of 'return {\n'
		assert.are.equal('policy.lua:2', why.where)
	end)

	it('refuses files that are no script', function()
		for text, said in pairs {
			['\27LuaS'] = 'compiled', ['return "\xFF"'] = 'UTF-8',
			[''] = 'returns nothing', ['return nil'] = 'returns nothing',
			['return ' .. (' '):rep(1 << 20) .. '1'] = 'at most 1048576 bytes',
			['x x'] = 'syntax error',
			['return ' .. ('('):rep(1000) .. '1'] = 'overflow',
			['while true do end'] = 'units', ['error "not today"'] = 'not today',
		} do
			local why = refusal_of(text)
			assert.is_truthy(why.text:find(said, 1, true), why.text)
			assert.are.equal('policy.lua', why.where:match '^[^:]+')
		end
	end)

	it('compiles within its time, whatever stands there', function()
		for name, text in pairs {
			ors = 'local a return ' .. ('a or '):rep(200000) .. 'a',
			ands = 'local a return ' .. ('a and '):rep(160000) .. 'a',
			branches = 'local a if a then' .. (' elseif a then'):rep(70000) .. ' end',
			labels = 'do ' .. (function()
				local t = {}
				for i = 1, 60000 do t[i] = ('::l%d::'):format(i) end
				return table.concat(t)
			end)() .. ' end',
			jumps = 'do ' .. (function()
				local t = {}
				for i = 1, 40000 do t[i] = ('do goto l%d end '):format(i) end
				return table.concat(t)
			end)() .. ' end',
			-- The compiler keeps constants in a table.
			constants = 'return {' .. (function()
				local t = {}
				for i = 1, 50000 do t[i] = ('%d'):format(i * ((1 << 16) - 1)) end
				return table.concat(t, ',')
			end)() .. '}',
		} do
			local why = refusal_of(text)
			assert.is_truthy(why.kind == 'cpu' or why.kind == 'table' and (name == 'constants' or name == 'jumps')
				or why.kind == 'error' and name == 'labels' or why.kind == 'memory', name .. ': ' .. why.kind)
		end
	end)

	it('may begin as files of Lua may', function()
		for _, text in ipairs { '\xEF\xBB\xBFreturn 1', '#!/usr/bin/tidelock\nreturn 1',
			'\xEF\xBB\xBF# x\nreturn 1' } do
			assert(core.open('work', 'policy.lua', text)):close()
		end
		assert.are.equal('policy.lua:3', refusal_of('#!/bin/x\n\nreturn (').where)
		assert.is_truthy(refusal_of('\xEF\xBB\xBF\27Lua').text:find 'compiled')
	end)

	it('shows what is no UTF-8 as such', function()
		local why = failure_of 'return function() error "a\\xFFb\\0c" end'
		assert.are.equal('a\u{FFFD}b\u{FFFD}c', why.text)
		why = refusal_of 'return require "\\xFF"'
		assert.is_truthy(utf8.len(why.text), why.text)
		why = refusal_of 'error("\\xFF:1: x", 0)'
		assert.is_truthy(utf8.len(why.where) and utf8.len(why.text))
	end)

	it('counts failures by place and keeps twenty', function()
		local script <close> = open [[return function(n)
			if n > 20 then error 'large' end
			error 'small' end]]
		for n = 1, 25 do
			script:call(nil, 'work', n)
		end
		local kept, count = script:failures()
		assert.are.same({ 20, 25 }, { #kept, count })
		assert.are.same({ 'policy.lua:2', 5, 25 }, { kept[1].where, kept[1].here, kept[1].number })
		assert.are.same({ 'policy.lua:3', 6, 6 }, { kept[20].where, kept[20].here, kept[20].number })
	end)

	it('cannot be caught at its limits', function()
		for kind, text in pairs {
			units = 'while true do pcall(function() while true do end end) end',
			string = 'pcall(string.rep, "x", 1 << 21)',
			memory = 'local t, s = {}, ("x"):rep(1000000) pcall(function() while true do t[#t + 1] = s .. #t end end)',
		} do
			local why = failure_of(('return function() %s return "went on" end'):format(text))
			assert.are.equal(kind, why.kind)
		end
	end)

	it('goes on with the next call', function()
		local script <close> = open 'return function(x) if x then while true do end end return "well" end'
		assert.is_nil((script:call(nil, 'work', true)))
		assert.are.equal('well', script:call(nil, 'work'))
	end)

	it('writes numbers as everywhere', function()
		assert.are.equal('1.5 2.0 0x1F', value_of '1.5 .. " " .. 2.0 .. " " .. string.format("0x%X", 31)')
		assert.are.equal('inf -7 1e+100', value_of 'math.huge .. " " .. -7 .. " " .. 1e100')
		assert.are.equal('-0.00|  +3|3  |007|ab',
			value_of 'string.format("%.2f|%+4d|%-3d|%03d|%.2s", -0.0, 3, 3, 7, "abc")')
		local why = failure_of 'return function() return string.format("%p", {}) end'
		assert.is_truthy(why.text:find("no '%p'", 1, true))
	end)

	it('has functions that do as those of Lua', function()
		for _, expression in ipairs {
			'("abc"):byte(0), ("abc"):byte(-9, -2), ("abc"):byte(0, 1), ("abc"):byte(-1), ("abc"):byte(4, 9)',
			'tonumber("\\0 5", 10), tonumber("5\\0", 10), tonumber("5\\0"), tonumber("\\0"), tonumber("- 5", 10)',
			'tonumber(" 0x1p4 "), tonumber(""), tonumber("-"), tonumber("1_", 16), tonumber("zz", 36)',
			'("a\\0b.c"):find(".c", 1, true), ("a\\0b"):find("\\0b"), ("a\\0b"):find("b\\0")',
			'select("#x", 1, 2), ("a\\0b"):len(), ("a\\0b"):reverse(), ("%s"):format("a\\0b")',
			'("abc"):find("", 4), ("abc"):find("", 5), ("abc"):find("c", -1), ("abc"):find("a", -9)',
			'("abc"):sub(2), ("abc"):sub(-2, -2), ("abc"):sub(0), ("abc"):sub(3, 2), ("abc"):sub(-9, 9)',
			'("abc"):byte(1, -1), ("abc"):byte(10)', 'string.char(104, 105)', '("ab"):rep(3, ","), ("ab"):rep(0)',
			'("Abc"):lower(), ("Abc"):upper(), ("Abc"):reverse(), ("Abc"):len()',
			'("a.b"):find(".", 1, true)', '("abc"):find("c"), ("abc"):find("d"), ("abc"):find("", 10)',
			'table.concat({ 1, 2, "x" }, ", "), table.concat({}), table.concat({ 1, 2, 3 }, "-", 2, 3)',
			'(function() local t = { 1, 2, 3 } table.insert(t, 2, 9) table.insert(t, 4) return table.unpack(t) end)()',
			'(function() local t = { 1, 2, 3 } return table.remove(t, 1), table.remove(t), table.remove(t), #t end)()',
			'(function() local t = { 3, 1, 2 } table.sort(t) return table.unpack(t) end)()',
			'(function() local t = { "b", "a" } table.sort(t, function(a, b) return a > b end) return t[1] end)()',
			'table.pack(1, nil, 3).n, table.unpack({ 1, 2, 3 }, 2, 3)', 'select("#", 1, nil), select(-1, 1, 2)',
			'tonumber("0x10")', 'tonumber("z", 36), tonumber(" -7 ", 8), tonumber("8", 8)',
			'tonumber("1e1"), tonumber("x")',
			'math.floor(-1.5), math.ceil(1.2), math.fmod(-7, 3), math.modf(-3.7), math.abs(-4), math.max(1, 2.5)',
			'math.tointeger(3.0), math.type(1), math.ult(-1, 1), math.sqrt(2), math.log(8, 2), math.atan(1, 2)',
			'utf8.char(233, 8364, 128512), utf8.codepoint("é€", 1, -1), utf8.len("é€"), utf8.len("\\xFF")',
			'pcall(error, "x", 0), tostring(nil), tostring(true), tostring(1.0), type(nil), assert(1, 2)',
			'("%5s|%-5s|%d"):format("x", "y", 3)',
		} do
			local expected = table.pack(assert(load('return ' .. expression))())
			local found = table.pack(value_of(expression))
			assert.are.same(expected, found, expression)
		end
	end)

	it('sorts without a grudge against liars', function()
		assert.are.equal(5, value_of([[(function() local t = { 5, 1, 4, 2, 3 }
			table.sort(t, function() return true end) return #t end)()]]))
		local why = failure_of 'return function() table.sort { 1, "a" } end'
		assert.is_truthy(why.text:find 'compare')
	end)

	it('has what text has', function()
		local plain = require 'tidelock.text'
		for _, case in ipairs {
			{ 'glob', 'site-*', 'site-7' }, { 'glob', '*', '' }, { 'glob', '?', 'é' }, { 'glob', '??', 'é' },
			{ 'glob', 'a*b*c', 'aXbYbc' }, { 'glob', 'a*b*c', 'aXbYb' }, { 'glob', '', '' },
			{ 'glob', '[a]%', '[a]%' },
			{ 'glob', '*?x', 'éx' }, { 'glob', '**', 'x' }, { 'glob', 'a', 'ab' }, { 'glob', '*ab', 'aab' },
			{ 'split', 'a,b,,c', ',' }, { 'split', '', ',' }, { 'split', 'a--b', '--' }, { 'split', ',', ',' },
			{ 'trim', ' \t x y\n' }, { 'trim', '  ' }, { 'starts', 'abc', 'ab' }, { 'starts', 'a', 'ab' },
			{ 'ends', 'abc', 'bc' }, { 'ends', 'abc', '' }, { 'ends', 'c', 'bc' },
		} do
			local name = table.remove(case, 1)
			local expected = plain[name](table.unpack(case))
			assert.are.same(expected, (value_of(('text.%s(...)'):format(name), table.unpack(case))), name)
		end
	end)

	it('requires files of its folder, and no others', function()
		local folder, outside = H.folder(), H.folder()
		H.write(outside .. '/out.lua', 'return 1')
		os.execute(('mkdir %s/sub && ln -s %s/out.lua %s/link.lua && ln -s sub/in.lua %s/inner.lua'):format(
			folder, outside, folder, folder))
		H.write(folder .. '/sub/in.lua', 'return { name = "in" }')
		H.write(folder .. '/self.lua', 'return require "self"')
		H.write(folder .. '/bad.lua', 'return {\n\n')
		H.write(folder .. '/nothing.lua', 'local x = 1')
		local function load_one(name)
			return core.open('work', folder .. '/main.lua',
				('local m = require %q return function() return m.name end'):format(name))
		end
		for _, name in ipairs { 'sub.in', 'inner' } do
			local script <close> = assert(load_one(name))
			assert.are.equal('in', script:call(nil, 'work'))
		end
		for name, said in pairs { link = 'outside', self = 'itself', bad = 'expected',
			nothing = 'returns nothing',
			missing = 'No such file', ['../x'] = 'no name of a module', ['a..b'] = 'no name', [''] = 'no name' } do
			local script, why = load_one(name)
			assert.is_nil(script)
			assert.is_truthy(why.text:find(said, 1, true), name .. ': ' .. why.text)
		end
		-- What failed has not been loaded, and is no circle.
		local script, again = core.open('work', folder .. '/main.lua',
			'pcall(require, "bad") pcall(require, "self") return require "bad"')
		assert.is_nil(script)
		assert.are.equal('bad.lua:3', again.where)
		script, again = core.open('work', folder .. '/main.lua',
			'for _ = 1, 100 do pcall(require, "missing") end return require "sub.in"')
		assert.is_nil(script)
		assert.is_truthy(again.text:find('64 files', 1, true), again.text)
		local _, why = load_one 'bad'
		assert.are.equal('bad.lua:3', why.where)
		local late <close> = open 'return function() return require "late" end'
		_, why = late:call(nil, 'work')
		assert.is_truthy(why.text:find 'while a script is loaded')
	end)

	it('writes lines with their place, and not too many', function()
		local tl = require 'tidelock'
		local lines = {}
		tl.log.sink(function(line) lines[#lines + 1] = line.text end)
		local script <close> = open [[return function(n)
 for i = 1, n do print("line", i, {}) end log.warning("a\27b") end]]
		script:call(nil, 'work', 2)
		script:call(nil, 'work', 1000)
		H.wait_for(function() return #lines >= 100 end)
		tl.log.sink(nil)
		assert.are.equal('policy.lua:2: line\\t1\\t(a table)', lines[1])
		assert.are.equal('policy.lua:2: a\\u001bb', lines[3])
		assert.is_true(#lines <= 203) -- two seconds at most are met
	end)
end)
