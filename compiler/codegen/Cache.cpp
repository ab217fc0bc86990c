/// \file Entries on disk: a magic, the value's length and SHA-256, then the value.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Cache.h"
#include "compiler/codegen/BuildId.inc"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>
#include <vector>

namespace fs = std::filesystem;

namespace segc {
namespace {

constexpr char kMagic[] = "segc kernel 1\n\n"; // 16 bytes with the NUL
constexpr size_t kHeaderBytes = sizeof kMagic + sizeof(uint64_t) + 32;

std::string digest(const std::string &bytes) {
  const auto hash = llvm::SHA256::hash(llvm::arrayRefFromStringRef(bytes));
  return std::string(hash.begin(), hash.end());
}

std::string header(const std::string &value) {
  std::string bytes(kMagic, sizeof kMagic);
  const uint64_t size = value.size();
  bytes.append(reinterpret_cast<const char *>(&size), sizeof size);
  return bytes + digest(value);
}

std::string environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

} // namespace

std::string sha256(const std::string &bytes) { return llvm::toHex(digest(bytes), true); }

std::string kernelBuildId() { return SEGC_KERNEL_BUILD_ID; }

std::string defaultCacheDirectory() {
  if (std::getenv("SEGC_CACHE"))
    return environment("SEGC_CACHE");
  if (const std::string base = environment("XDG_CACHE_HOME"); !base.empty())
    return base + "/segc";
  if (const std::string home = environment("HOME"); !home.empty())
    return home + "/.cache/segc";
  return "";
}

Cache::Cache(std::string directory, std::string buildId, uint64_t limit)
    : directory(std::move(directory)), buildId(std::move(buildId)), limit(limit) {}

std::string Cache::path(const std::string &key) const {
  const std::string name = sha256(buildId + '\0' + key);
  return directory + "/kernels/" + name.substr(0, 2) + "/" + name.substr(2);
}

std::optional<std::string> Cache::load(const std::string &key) const {
  if (directory.empty())
    return std::nullopt;
  const std::string file = path(key);
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  const std::string bytes = text.str();
  std::error_code ignored;
  if (bytes.size() >= kHeaderBytes) {
    const std::string value = bytes.substr(kHeaderBytes);
    if (bytes.compare(0, kHeaderBytes, header(value)) == 0) {
      fs::last_write_time(file, fs::file_time_type::clock::now(), ignored); // the order of eviction
      return value;
    }
  }
  fs::remove(file, ignored);
  return std::nullopt;
}

void Cache::store(const std::string &key, const std::string &value) {
  if (directory.empty())
    return;
  const fs::path file = path(key);
  std::error_code error;
  if (!fs::exists(directory, error)) {
    fs::create_directories(directory, error);
    fs::permissions(directory, fs::perms::owner_all, error); // what is loaded from here gets executed
  }
  fs::create_directories(file.parent_path(), error);
  std::string temporary = file.string() + ".tmp-XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0)
    return;
  const std::string bytes = header(value) + value;
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t n = write(fd, bytes.data() + written, bytes.size() - written);
    if (n <= 0 && errno != EINTR)
      break;
    written += n > 0 ? n : 0;
  }
  const bool whole = close(fd) == 0 && written == bytes.size();
  if (!whole || rename(temporary.c_str(), file.c_str()) != 0) {
    fs::remove(temporary, error);
    return;
  }
  if (!trimmed)
    trim();
  trimmed = true;
}

void Cache::trim() const {
  struct Entry {
    fs::file_time_type used;
    uint64_t bytes;
    fs::path path;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (fs::recursive_directory_iterator it(directory + "/kernels", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone; // another process may be trimming too
    if (!it->is_regular_file(gone))
      continue;
    Entry entry = {it->last_write_time(gone), it->file_size(gone), it->path()};
    if (gone)
      continue;
    const bool abandoned = entry.path.filename().string().find(".tmp-") != std::string::npos &&
                           now - entry.used > std::chrono::hours(1);
    if (abandoned) {
      fs::remove(entry.path, gone);
      continue;
    }
    total += entry.bytes;
    entries.push_back(std::move(entry));
  }
  if (total <= limit)
    return;
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.used < b.used; });
  for (const Entry &entry : entries) {
    if (total <= limit / 4 * 3)
      break;
    fs::remove(entry.path, error);
    total -= entry.bytes;
  }
}

} // namespace segc
