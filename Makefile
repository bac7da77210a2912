# sg: one Makefile, not recursive. Everything below build/ is made; nothing else is.
#   make [V=1] [WERROR=1] [CUDA=0] [SAN=address,undefined] [PREFIX=/usr/local] [DESTDIR=]
#   make setup    install what building and testing needs, or say the one command
#   make demo     set up what is missing, then grow a model from nothing (no GPU needed)
#   make check    set up what is missing, then run every test; T='help lint' only some
-include config.mk                      # local overrides, ignored by git

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib/sg
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
PKG    ?= pkg-config
NVCC   ?= $(firstword $(wildcard /usr/local/cuda/bin/nvcc $(addsuffix /nvcc,$(subst :, ,$(PATH)))))
CUDA   ?= $(if $(and $(NVCC),$(wildcard kernels/*.cu)),1,0)
SM     ?= 80 89 90
OPT    ?= -O2 -g
VERSION := 0.1.0

# Building needs the libraries; so that `make demo` and `make check` work on a
# machine that has only git and make, those two install them and start again.
ifneq ($(filter setup demo check,$(MAKECMDGOALS)),)
SETUP := $(shell sh tests/setup.sh $(if $(filter-out demo,$(MAKECMDGOALS)),,demo) >&2 && echo ok)
ifneq ($(SETUP),ok)
$(error set-up failed, see above)
endif
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
endif

MSGPACK := $(shell $(PKG) --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)
DEPS   := libgit2 openssl libzstd $(MSGPACK)
# Goals that compile; the others need neither compiler nor libraries.
ifneq ($(filter-out setup clean uninstall,$(or $(MAKECMDGOALS),all)),)
PKG_CFLAGS := $(shell $(PKG) --cflags $(DEPS) || echo missing)
ifneq ($(filter missing,$(PKG_CFLAGS)),)
$(error libraries are missing: run 'make setup')
endif
PKG_LIBS := $(shell $(PKG) --libs $(DEPS))
ifeq ($(NVCC),)
$(info no nvcc here: building without CUDA, as CUDA=0 says)
endif
endif

WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wwrite-strings -Wpointer-arith \
          -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 -Wno-format-nonliteral -Wno-overlength-strings
CPPFLAGS += -I. -Isrc -D_GNU_SOURCE -DSG_LIBDIR='"$(LIBDIR)"' -DSG_MANDIR='"$(MANDIR)"'
# No contraction and no fast-math anywhere: one source line is one IEEE operation.
CFLAGS += -std=c11 $(OPT) -ffp-contract=off -fno-math-errno -fno-trapping-math $(WARN) $(if $(WERROR),-Werror) $(PKG_CFLAGS)
NVFLAGS += -O3 -g -lineinfo -std=c++17 --fmad=false -ftz=false -prec-div=true -prec-sqrt=true \
           -Xcompiler -fPIC,-Wall,-fvisibility=hidden,-ffp-contract=off \
           $(foreach s,$(SM),-gencode arch=compute_$s,code=sm_$s) -gencode arch=compute_90,code=compute_90
LDFLAGS += -rdynamic
# The kernels' text for the host, where tests run it (tests/cuda_host).
CXX    := $(if $(filter default,$(origin CXX)),g++,$(CXX))
HOSTFLAGS += -std=c++17 $(OPT) -fPIC -fvisibility=hidden -ffp-contract=off $(if $(shell grep -wm1 fma /proc/cpuinfo),-mfma) \
             -Wall -Wextra -Wno-missing-field-initializers -Wno-unknown-pragmas
LDLIBS += $(PKG_LIBS) -lm -lpthread -ldl

_c := ,
# Each set of flags has its own build folder, so switching never mixes objects.
B := build/$(if $(filter 1,$(CUDA)),cuda,cpu)$(if $(SAN),-$(subst $(_c),-,$(SAN)))
ifdef SAN
CFLAGS  += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
HOSTFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SAN)
endif

# The CPU backend is compiled once per instruction set, from the same sources:
# SG_ISA is the suffix of its vtable, and each gives the same bits.
ISA_C   := $(filter-out kernels/device.c kernels/pool.c,$(wildcard kernels/*.c))
ISAS    := $(if $(filter x86_64,$(shell uname -m)),avx512 avx2) scalar
ISA_avx512 := -O3 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512
ISA_avx2   := -O3 -mavx2 -mfma -mf16c
ISA_scalar := -O3

# The flags that objects were made with; when they change, so do the objects.
FLAGS := $(CC) $(CPPFLAGS) $(filter-out -Werror,$(CFLAGS)) $(foreach i,$(ISAS),$(ISA_$i)) $(if $(filter 1,$(CUDA)),$(NVCC) $(NVFLAGS)) $(CXX) $(HOSTFLAGS)
ifneq ($(PKG_LIBS),)
ifneq ($(strip $(FLAGS)),$(strip $(file <$(B)/flags)))
$(shell mkdir -p $(B))$(file >$(B)/flags,$(FLAGS))
endif
endif

LIB_C := $(filter-out $(ISA_C),$(wildcard src/*.c src/*/*.c format/*.c kernels/*.c))
CMD_C := $(wildcard cmd/*.c)
TEST_C := $(wildcard tests/*.c tests/unit/*.c tests/kernels/*.c) cmd/opt.c cmd/print.c cmd/progress.c
FUZZ_C := $(wildcard tests/fuzz/*.c)
obj    = $(addprefix $(B)/,$(addsuffix .o,$1))
ISA_O := $(foreach i,$(ISAS),$(patsubst %.c,$(B)/%.$i.o,$(ISA_C)))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$1' '$(2:$(B)/%=%)')

all: $(B)/sg $(if $(filter 1,$(CUDA)),$(B)/libsg_cuda.so)
	$(Q)ln -sfn $(notdir $(B)) build/latest

$(B)/sg:       $(call obj,$(CMD_C)) $(B)/libsg.a
$(B)/sg-tests: $(call obj,$(TEST_C) $(FUZZ_C)) $(B)/libsg.a
$(B)/sg $(B)/sg-tests:
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/libsg.a: $(call obj,$(LIB_C)) $(ISA_O)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(B)/libsg_cuda.so: $(call obj,$(wildcard kernels/*.cu))
	$(call say,LD,$@)
	$(Q)$(NVCC) -shared -o $@ $^
$(B)/%.c.o: %.c $(B)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
# What `sg version` prints.
$(B)/cmd/version.c.o: Makefile
$(B)/cmd/version.c.o: CPPFLAGS += -DSG_VERSION='"$(VERSION)"' -DSG_BUILD_CUDA=$(CUDA) -DSG_BUILD_SAN='"$(SAN)"' \
	-DSG_BUILD_LIBS='"$(shell for d in $(DEPS); do printf '%s %s;' $$d "$$($(PKG) --modversion $$d)"; done)"'
define isa_rule
$(B)/%.$1.o: %.c $(B)/flags
	$$(call say,CC,$$< ($1))
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(CPPFLAGS) $$(CFLAGS) $$(ISA_$1) -DSG_ISA=$1 -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$i)))
$(B)/%.cu.o: %.cu $(B)/flags
	$(call say,NVCC,$<)
	$(Q)mkdir -p $(@D) && $(NVCC) $(CPPFLAGS) $(NVFLAGS) $(if $(WERROR),-Werror all-warnings -Xcompiler -Werror) -MMD -MP -c -o $@ $<
$(B)/cuda_host/libsg_cuda.so: $(patsubst %,$(B)/cuda_host/%.o,$(wildcard kernels/*.cu))
	$(call say,LD,$@)
	$(Q)$(CXX) -shared $(if $(SAN),-fsanitize=$(SAN)) -o $@ $^
$(B)/cuda_host/%.cu.o: %.cu $(B)/flags
	$(call say,CXX,$< (host))
	$(Q)mkdir -p $(@D) && $(CXX) -x c++ -Itests/cuda_host $(CPPFLAGS) $(HOSTFLAGS) $(if $(WERROR),-Werror) -MMD -MP -c -o $@ $<
-include $(shell test -d $(B) && find $(B) -name '*.d')

# Where there is a C++ compiler the kernels of CUDA are tested without a GPU.
HOST_CUDA = $(if $(shell command -v $(CXX)),$(B)/cuda_host/libsg_cuda.so)
check: all $(B)/sg-tests $(B)/crash.so $(HOST_CUDA) check-headers
	$(Q)SG=$(CURDIR)/$(B)/sg SG_TESTS=$(CURDIR)/$(B)/sg-tests SG_MAKE='$(foreach v,CUDA SAN OPT CC NVCC SM PREFIX DESTDIR PKG,$(if $(filter command%,$(origin $v)),$v="$($v)"))' \
		sh tests/run.sh $(T)
# Kills sg at its n-th write, for tests/t/crash.sh.
$(B)/crash.so: tests/shim/crash.c
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 $(OPT) -Wall -Wextra $(if $(WERROR),-Werror) -D_GNU_SOURCE -shared -fPIC -o $@ $< -ldl
# Every header must compile alone, as C11.
HDRS := $(wildcard src/*.h src/*/*.h format/*.h kernels/*.h cmd/*.h)
check-headers: $(HDRS:%=$(B)/%.ok)
$(B)/%.h.ok: %.h
	$(call say,HDR,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(filter-out -Wmissing-prototypes,$(CFLAGS)) -DSG_ISA=scalar -Wno-unused -x c -fsyntax-only $< && touch $@

# What tests/gpu/run.sh needs on a GPU host, in build/gpu.
gpu: all $(B)/sg-tests
	$(Q)sh tests/gpu/pack.sh $(B) build/gpu
setup:
	@echo 'all that building and testing needs is here'
demo: all
	$(Q)SG=$(CURDIR)/$(B)/sg sh tests/demo.sh

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR) $(addprefix $(DESTDIR)$(MANDIR)/man,1 5 7) \
		$(DESTDIR)$(DATADIR)/bash-completion/completions $(DESTDIR)$(DATADIR)/zsh/site-functions
	install -m 755 $(B)/sg $(DESTDIR)$(BINDIR)/sg
	$(if $(filter 1,$(CUDA)),install -m 755 $(B)/libsg_cuda.so $(DESTDIR)$(LIBDIR)/libsg_cuda.so)
	for p in man/*.[157]; do install -m 644 $$p $(DESTDIR)$(MANDIR)/man$${p##*.}/; done
	$(B)/sg help --completion bash >$(DESTDIR)$(DATADIR)/bash-completion/completions/sg
	$(B)/sg help --completion zsh >$(DESTDIR)$(DATADIR)/zsh/site-functions/_sg
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/sg $(DESTDIR)$(LIBDIR)/libsg_cuda.so \
		$(DESTDIR)$(DATADIR)/bash-completion/completions/sg $(DESTDIR)$(DATADIR)/zsh/site-functions/_sg
	for p in man/*.[157]; do rm -f $(DESTDIR)$(MANDIR)/man$${p##*.}/$${p##*/}; done
clean:
	rm -rf build
.PHONY: all gpu setup check check-headers demo install uninstall clean
.DELETE_ON_ERROR:
