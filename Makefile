# tidelock. `make help` lists the targets.

CC ?= gcc
PREFIX ?= /usr/local
DESTDIR ?=
SAN ?=
V ?=

# The version stands in the headers. The number behind the library's name counts what old hosts could
# not be run with; versions that only add keep it.
VERSION := $(shell awk '/define TL_VERSION_(MAJOR|MINOR|PATCH) / { v = v s $$3; s = "." } END { print v }' \
	runtime/include/tidelock/types.h)
SONAME  := libtidelock.so.1

PACKAGES := gcc make pkg-config lua5.4 liblua5.4-dev libuv1-dev libsodium-dev libcurl4-openssl-dev \
	libcjson-dev libsqlite3-dev libmicrohttpd-dev libssl-dev openssl lua-busted lua-luv lua-luv-dev lua-check \
	lua-argparse python3 \
	clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev git

LIBRARIES := libsodium libcrypto sqlite3 libuv libcurl libmicrohttpd

comma := ,

BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)),)

CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fstack-protector-strong \
	-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Werror=implicit-function-declaration \
	$(if $(WERROR),-Werror) -Iruntime/include -Iruntime \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
ALL_LDFLAGS := $(if $(SAN),-fsanitize=$(SAN)) -pthread

SOURCES := $(sort $(wildcard runtime/*/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
SPECS   := $(sort $(wildcard spec/c/*_spec.c))
VECTORS := $(sort $(wildcard spec/vectors/*.c))
BENCHES := $(sort $(wildcard spec/bench/*.c))
EMBEDS  := $(sort $(wildcard examples/embed/*.c))
PROGRAMS := $(SPECS:%.c=$(BUILD)/%) $(BUILD)/spec/vectors/check $(EMBEDS:%.c=$(BUILD)/%)
BINDINGS := $(sort $(wildcard bindings/lua/*.c))
HALVES   := $(sort $(wildcard lua/tidelock/*.lua lua/tidelock/*/*.lua))
PROGRAM_OBJECTS := $(filter %/main.o $(BUILD)/bindings/lua/program_%.o,$(BINDINGS:%.c=$(BUILD)/%.o))
BINDING_OBJECTS := $(filter-out $(PROGRAM_OBJECTS),$(BINDINGS:%.c=$(BUILD)/%.o)) $(BUILD)/bindings/lua/halves.o
HEADERS := $(sort $(wildcard runtime/include/tidelock/*.h))

# Asked only when something is compiled, so that `make deps` works where nothing is installed.
PKG_CFLAGS = $(shell pkg-config --cflags $(LIBRARIES))
PKG_LIBS   = $(shell pkg-config --libs $(LIBRARIES))
LUA_CFLAGS = $(shell pkg-config --cflags lua5.4)
LUA_LIBS   = $(shell pkg-config --libs lua5.4)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

.PHONY: all help deps demo test lint check-deps types format bench exports install clean specs
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/libtidelock.a $(BUILD)/$(SONAME) $(BUILD)/lua/tidelock.so $(BUILD)/tidelock

help:
	@echo 'make all          the library (build/)'
	@echo 'make demo         two processes keep two folders in step'
	@echo 'make test         every specification; SAN=address,undefined or SAN=thread for sanitizers'
	@echo 'make lint         clang-tidy, luacheck and the format check'
	@echo 'make check-deps   include arrows point down only'
	@echo 'make types        the examples against lua/meta, where a checker is installed'
	@echo 'make bench        figures, one JSON object a line; BENCH=quick, LINES="commit get"'
	@echo 'make install      to DESTDIR= PREFIX= ($(PREFIX))'
	@echo 'make exports      note the names that the shared library offers (spec/exports.txt)'
	@echo 'make deps         install the Debian packages that are missing'
	@echo 'make clean        remove build/'

deps:
	@spec/deps $(PACKAGES)

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# cJSON is who the JSON of base/ is compared with; nothing else uses it.
$(BUILD)/spec/c/base_json_other_spec: PKG_LIBS += $(shell pkg-config --libs libcjson)
$(BUILD)/spec/c/base_json_other_spec.o: PKG_CFLAGS += $(shell pkg-config --cflags libcjson)

$(BUILD)/bindings/%.o: ALL_CFLAGS += $(LUA_CFLAGS)

# The Lua halves become strings of the libraries, so that a host needs no path to them.
$(BUILD)/bindings/lua/halves.c: bindings/lua/embed.lua $(HALVES)
	$(call say,LUA,$@)
	@mkdir -p $(@D)
	$(Q)lua5.4 bindings/lua/embed.lua $(HALVES) > $@

$(BUILD)/bindings/lua/halves.o: $(BUILD)/bindings/lua/halves.c
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(CFLAGS) -Ibindings/lua -c $< -o $@

$(BUILD)/lua/tidelock.so: $(BINDING_OBJECTS) $(BUILD)/libtidelock.a bindings/lua/exports.map
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -Wl,--version-script=bindings/lua/exports.map $(ALL_LDFLAGS) $(LDFLAGS) \
		$(BINDING_OBJECTS) $(BUILD)/libtidelock.a $(PKG_LIBS) -o $@

# The program exports Lua's own API: modules written in C (luv) look for it there.
$(BUILD)/tidelock: $(PROGRAM_OBJECTS) $(BINDING_OBJECTS) $(BUILD)/libtidelock.a
	$(call say,LD,$@)
	$(Q)$(CC) -Wl,--export-dynamic $(ALL_LDFLAGS) $(LDFLAGS) $(PROGRAM_OBJECTS) $(BINDING_OBJECTS) \
		$(BUILD)/libtidelock.a $(PKG_LIBS) $(LUA_LIBS) -o $@

$(BUILD)/libtidelock.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/$(SONAME): $(OBJECTS) runtime/exports.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=runtime/exports.map \
		$(ALL_LDFLAGS) $(LDFLAGS) $(OBJECTS) $(PKG_LIBS) -o $@

# An embedder sees the public headers and the exported names only.
$(BUILD)/examples/%: examples/%.c $(BUILD)/$(SONAME)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -Wall -Wextra $(if $(WERROR),-Werror) -Iruntime/include $(ALL_LDFLAGS) $(CFLAGS) \
		$< $(BUILD)/$(SONAME) -Wl,-rpath,$(abspath $(BUILD)) -o $@

# Programs link the archive: specifications may look at what is shared inside. Those of the binding
# have it in them; modules written in C (luv) find Lua's API in the library beside it.
$(BUILD)/spec/c/binding_%: MORE = $(BINDING_OBJECTS) $(LUA_LIBS)
$(BUILD)/spec/c/binding_%.o: ALL_CFLAGS += $(LUA_CFLAGS)
$(filter $(BUILD)/spec/c/binding_%,$(PROGRAMS)): $(BINDING_OBJECTS)

$(BUILD)/spec/%: $(BUILD)/spec/%.o $(BUILD)/libtidelock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LDFLAGS) $< $(MORE) $(BUILD)/libtidelock.a $(PKG_LIBS) -o $@

$(BUILD)/spec/vectors/check: $(VECTORS:%.c=$(BUILD)/%.o) $(BUILD)/libtidelock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LDFLAGS) $(VECTORS:%.c=$(BUILD)/%.o) $(BUILD)/libtidelock.a $(PKG_LIBS) -o $@

# The yardsticks use the libraries themselves.
$(BENCHES:%.c=$(BUILD)/%.o): ALL_CFLAGS += -Ispec/c

$(BUILD)/spec/bench/bench: $(BENCHES:%.c=$(BUILD)/%.o) $(BUILD)/libtidelock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LDFLAGS) $(BENCHES:%.c=$(BUILD)/%.o) $(BUILD)/libtidelock.a $(PKG_LIBS) -o $@

specs: $(PROGRAMS)

test: deps
	@$(MAKE) --no-print-directory all specs
	@spec/run $(BUILD)

demo: deps
	@$(MAKE) --no-print-directory all
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && \
		$(BUILD)/tidelock run examples/notes/demo.lua $(BUILD)/tidelock "$$work" \
		$$(find . -name '*.md' -not -path './build/*' | sort)

# Lines printed by `make bench`; none: all of them. BENCH=quick takes small databases.
LINES ?=
BENCH ?=
bench: deps
	@$(MAKE) --no-print-directory $(BUILD)/spec/bench/bench
	@BENCH=$(BENCH) $(BUILD)/spec/bench/bench $(LINES)

lint: deps
	@spec/lint

check-deps:
	@spec/check-deps

# The examples against the types of lua/meta, where a checker of LuaCATS types is installed.
types:
	@spec/types

format:
	clang-format-14 -i $$(git ls-files '*.c' '*.h')

# What the shared library offers; spec/examples/install compares.
exports: $(BUILD)/$(SONAME)
	@nm -D --defined-only $(BUILD)/$(SONAME) | awk '$$2 == "T" { print $$3 }' | sort > spec/exports.txt

# The pkg-config file names PREFIX, so it is made for each installation.
LUA_DIR := lib/lua/5.4
install: all
	install -d $(DESTDIR)$(PREFIX)/include/tidelock $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(PREFIX)/$(LUA_DIR) $(DESTDIR)$(PREFIX)/share/tidelock/types
	install -m 644 $(HEADERS) $(DESTDIR)$(PREFIX)/include/tidelock/
	install -m 644 $(BUILD)/libtidelock.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(BUILD)/$(SONAME) $(DESTDIR)$(PREFIX)/lib/
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libtidelock.so
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@PRIVATE@|$(strip $(PKG_LIBS))|' \
		runtime/tidelock.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/tidelock.pc
	install -m 755 $(BUILD)/tidelock $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(BUILD)/lua/tidelock.so $(DESTDIR)$(PREFIX)/$(LUA_DIR)/
	install -m 644 $(wildcard lua/meta/*.lua) $(DESTDIR)$(PREFIX)/share/tidelock/types/

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(BINDINGS:%.c=$(BUILD)/%.d) $(SPECS:%.c=$(BUILD)/%.d) $(VECTORS:%.c=$(BUILD)/%.d) \
	$(BENCHES:%.c=$(BUILD)/%.d)
