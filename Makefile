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
	lua-argparse libqrencode-dev python3 \
	clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev git

LIBRARIES := libsodium libcrypto sqlite3 libuv libcurl libmicrohttpd

comma := ,
empty :=
space := $(empty) $(empty)

# V0=0 leaves out eidetica 0.2.0 (runtime/v0): the library links without_v0.c in its stead.
V0 ?= 1
LEFT_OUT := $(if $(filter 0,$(V0)),runtime/v0/% spec/c/v0_% spec/vectors/v0/% spec/bench/v0_%,%/without_v0.c)

BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)),)$(if $(filter 0,$(V0)),/without-v0)

CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fstack-protector-strong \
	-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Werror=implicit-function-declaration \
	$(if $(WERROR),-Werror) -Iruntime/include -Iruntime \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
ALL_LDFLAGS := $(if $(SAN),-fsanitize=$(SAN)) -pthread

SOURCES := $(filter-out runtime/sim/% $(LEFT_OUT),$(sort $(wildcard runtime/*/*.c runtime/*/*/*.c)))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
SIM     := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard runtime/sim/*.c)))
SPECS   := $(filter-out $(LEFT_OUT),$(sort $(wildcard spec/c/*_spec.c)))
VECTORS := $(filter-out $(LEFT_OUT),$(sort $(wildcard spec/vectors/*.c spec/vectors/v0/*.c)))
BENCHES := $(filter-out $(LEFT_OUT),$(sort $(wildcard spec/bench/*.c)))
EMBEDS  := $(sort $(wildcard examples/embed/*.c))
PROGRAMS = $(SPECS:%.c=$(BUILD)/%) $(BUILD)/spec/vectors/check $(BUILD)/spec/bench/bench $(EMBEDS:%.c=$(BUILD)/%) $(LUA_EMBEDS:%.c=$(BUILD)/%)
BINDINGS := $(sort $(wildcard bindings/lua/*/*.c))
HALVES   := $(sort $(wildcard lua/tidelock/*.lua lua/tidelock/*/*.lua))
PROGRAM_OBJECTS := $(filter $(BUILD)/bindings/lua/program/%,$(BINDINGS:%.c=$(BUILD)/%.o))
BINDING_OBJECTS := $(filter-out $(PROGRAM_OBJECTS),$(BINDINGS:%.c=$(BUILD)/%.o)) $(BUILD)/bindings/lua/halves.o
HEADERS := $(sort $(wildcard runtime/include/tidelock/*.h))
LUA_HEADERS := $(sort $(wildcard bindings/lua/include/tidelock/*.h))
LUA_EMBEDS  := $(sort $(wildcard examples/embed/lua/*.c))

# Asked only when something is compiled, so that `make deps` works where nothing is installed.
PKG_CFLAGS = $(shell pkg-config --cflags $(LIBRARIES))
PKG_LIBS   = $(shell pkg-config --libs $(LIBRARIES))
LUA_CFLAGS = $(shell pkg-config --cflags lua5.4)
LUA_LIBS   = $(shell pkg-config --libs lua5.4)

# The program draws QR codes where libqrencode is there, and does without it elsewhere.
QR      = $(shell pkg-config --exists libqrencode && echo 1)
QR_LIBS = $(if $(QR),$(shell pkg-config --libs libqrencode))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

.PHONY: all lib help deps deps-interop deps-iroh deps-relay iroh test-iroh bench-iroh install-iroh demo test sim interop lint check-deps count types format bench bombs exports install install-lib install-lua \
	uninstall clean specs
.DELETE_ON_ERROR:
.SECONDARY:

all: lib $(BUILD)/lua/tidelock.so $(BUILD)/tidelock

lib: $(BUILD)/libtidelock.a $(BUILD)/$(SONAME)

help:
	@echo 'make all          the library, the Lua module and the program (build/)'
	@echo 'make lib          the library alone, without Lua'
	@echo 'make demo         three processes keep folders in step; TRANSPORT=iroh: by key'
	@echo 'make test         every specification; SAN=address,undefined or SAN=thread for sanitizers'
	@echo 'make test-without-v0  the same for a build without eidetica 0.2.0 (V0=0)'
	@echo 'make sim          simulated peers under faults; SEEDS=2000 stories of each kind'
	@echo 'make interop      against the published eidetica 0.2.0, live; WORDS="bootstrap access" chooses'
	@echo 'make lint         clang-tidy, luacheck and the format check'
	@echo 'make check-deps   arrows point down only; no file and no folder is too large; nothing is needless'
	@echo 'make count        lines of C and Lua, without specs and blank lines'
	@echo 'make types        the examples against lua/meta, where a checker is installed'
	@echo 'make bench        figures, one JSON object a line; BENCH=quick, LINES="commit get"'
	@echo 'make bombs        scripts that try to hurt, each ending within its limit'
	@echo 'make install      everything, to DESTDIR= PREFIX= ($(PREFIX)) LIBDIR= ($(LIBDIR))'
	@echo 'make install-lib  the library for C and C++, without Lua; make uninstall'
	@echo 'make exports      note the names that the shared library offers (spec/exports.txt)'
	@echo 'make deps         install the Debian packages that are missing'
	@echo 'make deps-interop what make interop builds its counterpart with: cargo ≥ 1.85'
	@echo 'make iroh         the Iroh plugin, with cargo ≥ $(IROH_CARGO); make deps-iroh installs that'
	@echo 'make test-iroh    the specifications of the plugin; bench-iroh: its figures beside pure Rust'
	@echo 'make deps-relay   the relay that some of them need, built with the same cargo, and what makes networks'
	@echo 'make install-iroh the plugin beside the installed library'
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

$(BUILD)/bindings/lua/program/program_qr.o: ALL_CFLAGS += $(if $(QR),-DTLUA_QRENCODE $(shell pkg-config --cflags libqrencode))
$(BUILD)/bindings/%.o: ALL_CFLAGS += -Ibindings/lua -Ibindings/lua/include $(LUA_CFLAGS)

# The Lua halves become strings of the libraries, so that a host needs no path to them.
$(BUILD)/bindings/lua/halves.c: bindings/lua/embed.lua $(HALVES)
	$(call say,LUA,$@)
	@mkdir -p $(@D)
	$(Q)lua5.4 bindings/lua/embed.lua $(HALVES) > $@

$(BUILD)/bindings/lua/halves.o: $(BUILD)/bindings/lua/halves.c
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(CFLAGS) -Ibindings/lua -c $< -o $@

# The module and the program use the shared library, so that a process has one copy of it. They find it by
# the way from where they lie, here and where they are installed: link_module FILE WAY.
link_module = $(CC) -shared -Wl,-soname,tidelock.so -Wl,--version-script=bindings/lua/exports.map \
	$(ALL_LDFLAGS) $(LDFLAGS) $(BINDING_OBJECTS) $(BUILD)/$(SONAME) -lm -Wl,-rpath,'$$ORIGIN/$(2)' -o $(1)
# The program exports Lua's own API: modules written in C (luv) look for it there.
link_program = $(CC) -Wl,--export-dynamic $(ALL_LDFLAGS) $(LDFLAGS) $(PROGRAM_OBJECTS) $(BINDING_OBJECTS) \
	$(BUILD)/$(SONAME) $(LUA_LIBS) $(QR_LIBS) -lm -Wl,-rpath,'$$ORIGIN/$(2)' -o $(1)

$(BUILD)/lua/tidelock.so: $(BINDING_OBJECTS) $(BUILD)/$(SONAME) bindings/lua/exports.map
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(call link_module,$@,..)

$(BUILD)/tidelock: $(PROGRAM_OBJECTS) $(BINDING_OBJECTS) $(BUILD)/$(SONAME)
	$(call say,LD,$@)
	$(Q)$(call link_program,$@,.)

$(BUILD)/libtidelock.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# The simulator is no part of the library: programs that play stories link it beside.
$(BUILD)/libtidelock-sim.a: $(SIM)
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

# One with a Lua state of its own links the module too.
$(BUILD)/examples/embed/lua/%: examples/embed/lua/%.c $(BUILD)/lua/tidelock.so $(LUA_HEADERS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -Wall -Wextra $(if $(WERROR),-Werror) -Iruntime/include -Ibindings/lua/include $(LUA_CFLAGS) \
		$(ALL_LDFLAGS) $(CFLAGS) $< $(BUILD)/lua/tidelock.so $(BUILD)/$(SONAME) $(LUA_LIBS) \
		-Wl,-rpath,$(abspath $(BUILD)):$(abspath $(BUILD))/lua -o $@

# Programs link the archive: specifications may look at what is shared inside. Those of the binding
# have it in them; modules written in C (luv) find Lua's API in the library beside it.
$(BUILD)/spec/c/binding_%: MORE = $(BINDING_OBJECTS) $(LUA_LIBS) -lm
$(BUILD)/spec/c/binding_%.o: ALL_CFLAGS += -Ibindings/lua -Ibindings/lua/include $(LUA_CFLAGS)
$(filter $(BUILD)/spec/c/binding_%,$(PROGRAMS)): $(BINDING_OBJECTS)
$(BUILD)/spec/%: $(BUILD)/spec/%.o $(BUILD)/libtidelock-sim.a $(BUILD)/libtidelock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LDFLAGS) $< $(MORE) $(BUILD)/libtidelock-sim.a $(BUILD)/libtidelock.a $(PKG_LIBS) -o $@

# It counts how often these are called.
WRAPPED := snapshot_open snapshot_open_warm work_at_once work_slice upkeep_slice worker_do pool_hand inbox_put sync_take \
	client_send serving_answer hub_tell
$(BUILD)/spec/c/engine_ways_spec: MORE = $(WRAPPED:%=-Wl,--wrap=tl__%)

# It makes these fail.
$(BUILD)/spec/c/binding_starved_spec: MORE = $(BINDING_OBJECTS) $(LUA_LIBS) -lm \
	$(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc strdup)

$(BUILD)/spec/vectors/check: $(VECTORS:%.c=$(BUILD)/%.o) $(BUILD)/libtidelock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LDFLAGS) $(VECTORS:%.c=$(BUILD)/%.o) $(BUILD)/libtidelock.a $(PKG_LIBS) -o $@

# A plugin that is to be refused.
$(BUILD)/spec/c/transport_iroh_spec: $(BUILD)/spec/c/iroh_other.so
$(BUILD)/spec/c/%.so: spec/c/%.c bindings/iroh/tidelock_iroh.h
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fvisibility=default -shared $< -o $@

# The yardsticks use the libraries themselves.
$(BENCHES:%.c=$(BUILD)/%.o): ALL_CFLAGS += -Ispec/c
$(BUILD)/spec/bench/policy.o: ALL_CFLAGS += -Ibindings/lua $(LUA_CFLAGS)
$(BUILD)/spec/bench/gate.o $(BUILD)/spec/bench/reload.o $(BUILD)/spec/bench/relations.o: ALL_CFLAGS += -Ibindings/lua/include

$(BUILD)/spec/bench/bench: $(BENCHES:%.c=$(BUILD)/%.o) $(BINDING_OBJECTS) $(BUILD)/libtidelock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LDFLAGS) $(BENCHES:%.c=$(BUILD)/%.o) $(BINDING_OBJECTS) $(BUILD)/libtidelock.a \
		$(PKG_LIBS) $(LUA_LIBS) -lm -o $@

specs: $(PROGRAMS)

test: deps
	@$(MAKE) --no-print-directory all specs
	@V0=$(V0) spec/run $(BUILD)

# The library, the module, the program, and all specifications but those of 0.2.0, in a folder of their own.
.PHONY: test-without-v0
test-without-v0:
	@$(MAKE) --no-print-directory V0=0 test

# `make test` plays a few of them.
SEEDS ?= 200
sim: deps
	@$(MAKE) --no-print-directory $(BUILD)/spec/c/sim_converge_spec $(BUILD)/spec/c/sim_hub_spec
	@spec/sim $(BUILD) $(SEEDS)

# The counterpart is a program of its own, built by cargo into build/interop; nothing of it is linked here.
WORDS ?=
interop: deps
	@$(MAKE) --no-print-directory all
	@spec/interop/run $(BUILD) $(WORDS)

deps-interop:
	@spec/cargo 1.85 install 'the counterpart'

# The Iroh plugin is a library of its own, built by cargo; all else is built, and tested, without it.
IROH_CARGO := 1.91
IROH       := build/libtidelock_iroh.so
IROH_FILES := $(wildcard bindings/iroh/src/*.rs) bindings/iroh/Cargo.toml bindings/iroh/Cargo.lock
# What `make` sets for our compiler would have everything built again.
iroh_cargo  = env -u CC -u CFLAGS -u LDFLAGS "$$(spec/cargo $(IROH_CARGO) path)" $(1) --release --locked \
	--manifest-path bindings/iroh/Cargo.toml --target-dir build/iroh $(if $(CARGO_JOBS),-j $(CARGO_JOBS))

iroh:
	@spec/cargo $(IROH_CARGO) found || { echo 'the Iroh plugin needs cargo ≥ $(IROH_CARGO): make deps-iroh installs it' \
		'(Debian: cargo-web and rustc-web; else a Rust toolchain from rustup)' >&2; exit 1; }
	@$(MAKE) --no-print-directory $(IROH)

$(IROH): $(IROH_FILES)
	$(call say,CARGO,$@)
	$(Q)$(call iroh_cargo,build)
	$(Q)install -m 755 build/iroh/release/libtidelock_iroh.so $@ # never into a file that a process has loaded

# Beside the library, which looks for it there.
install-iroh: iroh
	$(check_places)
	install -d $(DESTDIR)$(LIB_TO)
	install -m 755 $(IROH) $(DESTDIR)$(LIB_TO)/

deps-iroh:
	@spec/cargo $(IROH_CARGO) install 'the Iroh plugin'

test-iroh: deps iroh
	@$(MAKE) --no-print-directory all $(filter $(BUILD)/spec/c/iroh_% $(BUILD)/spec/c/transport_iroh_%,$(PROGRAMS))
	@$(call iroh_cargo,test)
	@spec/run $(BUILD) iroh

# A relay for specifications, a program of its own; nothing of it is linked here.
RELAY := 1.4.1
deps-relay: build/relay/bin/iroh-relay
	@spec/deps iproute2 nftables

build/relay/bin/iroh-relay:
	@spec/cargo $(IROH_CARGO) install 'the relay'
	$(Q)env -u CC -u CFLAGS -u LDFLAGS CARGO_PROFILE_DEV_DEBUG=0 nice "$$(spec/cargo $(IROH_CARGO) path)" install \
		iroh-relay --version $(RELAY) --locked --debug --features server --bin iroh-relay -j $(or $(CARGO_JOBS),1) \
		--root build/relay --target-dir build/relay/target
	$(Q)rm -rf build/relay/target

# The plugin beside the same loop in pure Rust.
bench-iroh: deps iroh
	@$(MAKE) --no-print-directory $(BUILD)/bindings/iroh/bench/driver
	@$(call iroh_cargo,build) --quiet --example pure
	@bindings/iroh/bench/run $(BUILD)

$(BUILD)/bindings/iroh/bench/driver: bindings/iroh/bench/driver.c bindings/iroh/tidelock_iroh.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) $(CFLAGS) $< $(shell pkg-config --libs libuv) -o $@

# TRANSPORT=iroh: over Iroh.
TRANSPORT ?= http
demo: deps $(filter iroh,$(TRANSPORT))
	@$(MAKE) --no-print-directory all
	@export TRANSPORT='$(TRANSPORT)'; work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && \
		$(BUILD)/tidelock run examples/notes/demo.lua $(BUILD)/tidelock "$$work" \
		$$(find . -name '*.md' -not -path './build/*' | sort)

# Lines printed by `make bench`; none: all of them. BENCH=quick takes small databases.
LINES ?=
BENCH ?=
bench: deps
	@$(MAKE) --no-print-directory $(BUILD)/spec/bench/bench
	@BENCH=$(BENCH) $(BUILD)/spec/bench/bench $(LINES)

# Scripts that try to hurt, with the limits of each kind of call: units, CPU time and memory of each.
bombs: deps
	@$(MAKE) --no-print-directory $(BUILD)/spec/c/binding_bombs_spec
	@$(BUILD)/spec/c/binding_bombs_spec --show

lint: deps
	@spec/lint

check-deps:
	@spec/check-deps

count:
	@V0=$(V0) spec/count

# The examples against the types of lua/meta, where a checker of LuaCATS types is installed.
types:
	@spec/types

format:
	clang-format-14 -i $$(git ls-files '*.c' '*.h')

# What the shared library offers; spec/examples/install compares.
exports: $(BUILD)/$(SONAME)
	@nm -D --defined-only $(BUILD)/$(SONAME) | awk '$$2 == "T" { print $$3 }' | sort > spec/exports.txt

# --- installation ---
#
# install-lib needs the core's packages alone, install-lua brings the Lua module and the program. LIBDIR may
# lie in PREFIX (lib/x86_64-linux-gnu) or begin with a slash. What names PREFIX is made for each
# installation.
LIBDIR  ?= lib
LUA_DIR ?= lib/lua/5.4

under_prefix = $(if $(filter /%,$(1)),$(1),$(PREFIX)/$(1))
INTO     := $(DESTDIR)$(PREFIX)
LIB_TO   := $(call under_prefix,$(LIBDIR))
LUA_TO   := $(call under_prefix,$(LUA_DIR))
DOC_TO   := $(PREFIX)/share/doc/tidelock
MAN_TO   := $(PREFIX)/share/man
# The texts on formats and trust that the headers speak of.
FORMATS  := model tree/trust crypto control wire

# How one installed folder is reached from another.
from_to = $(shell realpath -m --relative-to=$(1) $(2))
fill = sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIB_TO))|' \
	-e 's|@LUADIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LUA_TO))|; s|@VERSION@|$(VERSION)|; s|@SONAME@|$(SONAME)|' \
	-e 's|@FROM_CMAKE@|$(call from_to,$(LIB_TO)/cmake/tidelock,$(PREFIX))|' \
	-e 's|@FROM_PREFIX@|$(call from_to,$(PREFIX),$(LIB_TO))|; s|@PRIVATE@|$(strip $(PKG_LIBS))|' \
	-e 's|@PRIVATE_LIST@|$(subst $(space),;,$(strip $(PKG_LIBS)))|'

# Evaluated before a recipe runs, with which a place of two words would end elsewhere.
check_places = $(if $(or $(filter-out 1,$(words $(PREFIX))),$(filter-out 0 1,$(words $(DESTDIR))),$(filter-out 1,$(words \
	$(LIBDIR))),$(filter-out 1,$(words $(LUA_DIR)))),$(error DESTDIR, PREFIX, LIBDIR and LUA_DIR are one word each, \
	without white space))$(if $(filter /%,$(PREFIX)),,$(error PREFIX begins with a slash))

install: install-lib install-lua

install-lib: lib
	$(check_places)
	install -d $(INTO)/include/tidelock $(DESTDIR)$(LIB_TO)/pkgconfig $(DESTDIR)$(LIB_TO)/cmake/tidelock \
		$(DESTDIR)$(DOC_TO)/examples $(DESTDIR)$(MAN_TO)/man3
	install -m 644 $(HEADERS) $(INTO)/include/tidelock/
	install -m 644 $(BUILD)/libtidelock.a $(DESTDIR)$(LIB_TO)/
	install -m 755 $(BUILD)/$(SONAME) $(DESTDIR)$(LIB_TO)/
	ln -sf $(SONAME) $(DESTDIR)$(LIB_TO)/libtidelock.so
	$(fill) runtime/install/tidelock.pc.in > $(DESTDIR)$(LIB_TO)/pkgconfig/tidelock.pc
	$(fill) runtime/install/tidelockConfig.cmake.in > $(DESTDIR)$(LIB_TO)/cmake/tidelock/tidelockConfig.cmake
	$(fill) runtime/install/tidelockConfigVersion.cmake.in \
		> $(DESTDIR)$(LIB_TO)/cmake/tidelock/tidelockConfigVersion.cmake
	install -m 644 LICENSE runtime/include/README.md $(DESTDIR)$(DOC_TO)/
	for name in $(FORMATS); do install -m 644 runtime/$$name/README.md $(DESTDIR)$(DOC_TO)/$${name##*/}.md || exit 1; done
	install -m 644 $(wildcard examples/embed/*.c) $(DESTDIR)$(DOC_TO)/examples/
	install -m 644 runtime/install/tidelock.3 $(DESTDIR)$(MAN_TO)/man3/

install-lua: all install-lib
	$(check_places)
	install -d $(DESTDIR)$(LUA_TO) $(INTO)/bin $(INTO)/share/tidelock/types $(DESTDIR)$(DOC_TO)/examples \
		$(DESTDIR)$(MAN_TO)/man1
	$(call link_module,$(DESTDIR)$(LUA_TO)/tidelock.so,$(call from_to,$(LUA_TO),$(LIB_TO)))
	$(call link_program,$(INTO)/bin/tidelock,$(call from_to,$(PREFIX)/bin,$(LIB_TO)))
	install -m 644 $(LUA_HEADERS) $(INTO)/include/tidelock/
	$(fill) bindings/lua/tidelock-lua.pc.in > $(DESTDIR)$(LIB_TO)/pkgconfig/tidelock-lua.pc
	install -m 644 $(wildcard lua/meta/*.lua) $(INTO)/share/tidelock/types/
	install -m 644 $(wildcard examples/*.lua examples/embed/lua/*.c) $(DESTDIR)$(DOC_TO)/examples/
	install -m 644 bindings/lua/tidelock.1 $(DESTDIR)$(MAN_TO)/man1/

# Takes away what either of the two put there, and the folders that are nobody else's.
uninstall:
	$(check_places)
	rm -rf $(INTO)/include/tidelock $(DESTDIR)$(LIB_TO)/cmake/tidelock $(DESTDIR)$(DOC_TO) $(INTO)/share/tidelock
	rm -f $(DESTDIR)$(LIB_TO)/libtidelock.a $(DESTDIR)$(LIB_TO)/libtidelock.so $(DESTDIR)$(LIB_TO)/$(SONAME) $(DESTDIR)$(LIB_TO)/libtidelock_iroh.so \
		$(DESTDIR)$(LIB_TO)/pkgconfig/tidelock.pc $(DESTDIR)$(LIB_TO)/pkgconfig/tidelock-lua.pc \
		$(DESTDIR)$(LUA_TO)/tidelock.so $(INTO)/bin/tidelock $(DESTDIR)$(MAN_TO)/man1/tidelock.1 \
		$(DESTDIR)$(MAN_TO)/man3/tidelock.3

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(SIM:.o=.d) $(BINDINGS:%.c=$(BUILD)/%.d) $(SPECS:%.c=$(BUILD)/%.d) $(VECTORS:%.c=$(BUILD)/%.d) \
	$(BENCHES:%.c=$(BUILD)/%.d)
