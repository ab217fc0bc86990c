/// \file Writing files so that they appear as a whole or not at all.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace segc::files {

/// Puts `size` bytes at `path`: a temporary file beside it, synced, then renamed, then the folder synced, so
/// that after a crash or a full disk there is the old file or the new one. A symbolic link stays one and what
/// it names is replaced; a device or folder is refused. A sentence that opens with `path` after an error; no
/// temporary file is left then.
std::optional<std::string> writeWhole(const std::string &path, const uint8_t *data, size_t size);
std::optional<std::string> writeWhole(const std::string &path, const std::string &text);

} // namespace segc::files
