/// \file Temporary files and their renaming.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Output.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace segc {
namespace {

std::string cannotWrite(const std::string &path) {
  return "cannot write '" + path + "': " + std::strerror(errno);
}

/// Permissions of a new file under the user's umask.
mode_t permissions(bool executable) {
  const mode_t mask = umask(0);
  umask(mask);
  return (executable ? 0777 : 0666) & ~mask;
}

bool writeAll(int fd, llvm::ArrayRef<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR)
      return false;
    bytes = bytes.drop_front(n > 0 ? n : 0);
  }
  return true;
}

} // namespace

std::string writeOutputs(const std::string &directory, const std::vector<OutputFile> &files) {
  std::error_code error;
  const std::filesystem::path base = directory.empty() ? "." : directory;
  std::filesystem::create_directories(base, error);
  if (error)
    return "cannot create the output directory '" + base.string() + "': " + error.message();
  std::vector<std::string> temporaries;
  std::string problem;
  for (const OutputFile &file : files) {
    std::string path = (base / ("." + file.name + ".XXXXXX")).string();
    const int fd = mkostemp(path.data(), O_CLOEXEC);
    if (fd < 0) {
      problem = cannotWrite((base / file.name).string());
      break;
    }
    temporaries.push_back(path);
    const bool whole = writeAll(fd, file.bytes) && fchmod(fd, permissions(file.executable)) == 0;
    if (!whole)
      problem = cannotWrite((base / file.name).string());
    if (close(fd) != 0 && whole)
      problem = cannotWrite((base / file.name).string());
    if (!problem.empty())
      break;
  }
  // A directory in a file's place is what would stop the renaming half way.
  for (const OutputFile &file : files)
    if (problem.empty() && std::filesystem::is_directory(base / file.name, error))
      problem = "cannot write '" + (base / file.name).string() + "': it is a directory";
  for (size_t i = 0; i < files.size() && problem.empty(); ++i)
    if (rename(temporaries[i].c_str(), (base / files[i].name).c_str()) != 0)
      problem = cannotWrite((base / files[i].name).string());
  if (!problem.empty())
    for (const std::string &path : temporaries)
      unlink(path.c_str());
  return problem;
}

} // namespace segc
