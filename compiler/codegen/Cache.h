/// \file The content-addressed store of compiled kernels that all compilations of a user share.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace segc {

/// $SEGC_CACHE, else $XDG_CACHE_HOME/segc, else ~/.cache/segc; empty (no cache) where none of them is set.
/// SEGC_CACHE set to nothing turns the cache off.
std::string defaultCacheDirectory();

/// Names what turns a job into bytes: the sources of schedules/ and the Halide library segc was built with.
std::string kernelBuildId();

/// SHA-256 of `bytes`, 64 hexadecimal digits.
std::string sha256(const std::string &bytes);

/// A directory of files named by the SHA-256 of build id and key. Any number of processes may use it at the
/// same time: entries appear by rename and carry a checksum, so a reader sees a whole entry or none. Nothing
/// here fails: a directory that cannot be read or written is a cache that never hits.
class Cache {
public:
  static constexpr uint64_t kDefaultLimit = uint64_t(2) << 30;

  /// An empty `directory` means no cache. `limit` is in bytes.
  Cache(std::string directory, std::string buildId, uint64_t limit = kDefaultLimit);

  /// The value stored for `key`. An entry whose length or checksum is wrong is removed and not returned.
  std::optional<std::string> load(const std::string &key) const;

  /// Stores `value`. The first store of a Cache also trims the directory: above the limit the entries that
  /// were not used for longest go, down to three quarters of it.
  void store(const std::string &key, const std::string &value);

  /// Where the entry of `key` lies, whether it exists or not.
  std::string path(const std::string &key) const;

private:
  void trim() const;

  std::string directory, buildId;
  uint64_t limit;
  bool trimmed = false;
};

} // namespace segc
