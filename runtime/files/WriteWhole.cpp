/// \file A temporary file, fsync, rename, fsync of the folder.
// SPDX-License-Identifier: MIT
#include "runtime/files/WriteWhole.h"
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace segc::files {
namespace {

/// Where a write to `path` must go: through a symbolic link, so that the link stays one.
std::string targetOf(const std::string &path) {
  std::unique_ptr<char, void (*)(void *)> real(realpath(path.c_str(), nullptr), free);
  return real ? real.get() : path;
}

/// Writes, syncs and closes `file`; false with errno set if any of that fails.
bool writeAndClose(int file, const uint8_t *data, size_t size) {
  bool good = true;
  for (size_t done = 0; good && done < size;) {
    const ssize_t written = write(file, data + done, size - done);
    if (written >= 0)
      done += size_t(written);
    else
      good = errno == EINTR;
  }
  good = good && fsync(file) == 0;
  const int reason = errno;
  const bool closed = close(file) == 0;
  if (!good)
    errno = reason;
  return good && closed;
}

/// A rename is on the disk when its folder is. File systems that cannot sync folders say EINVAL.
bool syncFolderOf(const std::string &file) {
  const size_t slash = file.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
  const int handle = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0)
    return errno == EACCES; // a folder that may be written but not listed
  const bool good = fsync(handle) == 0 || errno == EINVAL;
  const int reason = errno;
  close(handle);
  errno = reason;
  return good;
}

} // namespace

std::optional<std::string> writeWhole(const std::string &path, const uint8_t *data, size_t size) {
  const std::string target = targetOf(path);
  struct stat info;
  // A rename would replace a device by a file.
  if (stat(target.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    return path + ": is not a regular file; name a file to write";
  static std::atomic<unsigned> counter{0};
  const std::string temporary = target + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(counter++);
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0)
    return path + ": cannot be written: " + strerror(errno) + "; the folder must exist and be writable";
  if (!writeAndClose(file, data, size) || rename(temporary.c_str(), target.c_str()) != 0) {
    const int reason = errno;
    unlink(temporary.c_str());
    return path + ": cannot be written: " + strerror(reason);
  }
  if (!syncFolderOf(target))
    return path + ": was written, but its folder cannot be synced: " + strerror(errno);
  return std::nullopt;
}

std::optional<std::string> writeWhole(const std::string &path, const std::string &text) {
  return writeWhole(path, reinterpret_cast<const uint8_t *>(text.data()), text.size());
}

} // namespace segc::files
