# What a person or a machine calls: each word sets up, builds and does one thing.
# SPDX-License-Identifier: MIT
BUILD ?= build
JOBS  ?= $(shell nproc)
SOURCES = git ls-files --cached --others --exclude-standard -- '*.c' '*.cpp' '*.h'

.PHONY: all setup build test long demo format tidy clean
all: build

setup:
	@scripts/setup.sh

# Configures once; after that ninja itself runs CMake again when a CMakeLists.txt changes.
build: setup
	@test -f $(BUILD)/build.ninja || cmake -G Ninja -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release
	@cmake --build $(BUILD) --parallel $(JOBS)

# Ends with the line "N passed, N failed".
test: build
	@BUILD=$(BUILD) JOBS=$(JOBS) scripts/test.sh

# The same tests with more cases of the randomised ones and with those that take minutes.
long: build
	@SEGC_LONG=1 BUILD=$(BUILD) JOBS=$(JOBS) scripts/test.sh

demo: build
	@BUILD=$(BUILD) scripts/demo.sh

format:
	@command -v clang-format-22 >/dev/null || { echo "format: install clang-format-22" >&2; exit 1; }
	@$(SOURCES) | xargs clang-format-22 -i

# Needs a build for compile_commands.json.
tidy: build
	@command -v clang-tidy-22 >/dev/null || { echo "tidy: install clang-tidy-22" >&2; exit 1; }
	@git ls-files '*.cpp' | xargs -n 1 -P $(JOBS) clang-tidy-22 --quiet -p $(BUILD)

clean:
	@rm -rf $(BUILD) out
