/// \file Job and answer as bytes, and the loop between them.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Worker.h"
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <sstream>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace segc {

using schedules::KernelArtifact;
using schedules::KernelJob;

std::string encodeJob(const KernelJob &job) {
  std::string text = "symbol " + job.symbol + "\nproblem " + job.problem + "\nschedule " + job.schedule +
                     "\nisa " + schedules::name(job.isa) + "\n";
  const schedules::Images &images = job.images;
  return images.archs.empty() ? text
                              : text + "images " + images.archs + "\nptxas " + images.ptxas + "\nversion " +
                                    images.version + "\n";
}

/// Lines of a word and a value, in this order.
template <size_t N>
static bool readFields(std::istream &in, const std::pair<const char *, std::string *> (&fields)[N]) {
  for (const auto &[key, value] : fields) {
    std::string line;
    if (!std::getline(in, line) || line.rfind(key, 0) != 0)
      return false;
    *value = line.substr(std::strlen(key));
  }
  return true;
}

std::optional<KernelJob> decodeJob(const std::string &text) {
  KernelJob job;
  std::string isa;
  const std::pair<const char *, std::string *> fields[] = {
      {"symbol ", &job.symbol}, {"problem ", &job.problem}, {"schedule ", &job.schedule}, {"isa ", &isa}};
  std::istringstream in(text);
  if (!readFields(in, fields))
    return std::nullopt;
  const auto parsed = schedules::parseIsa(isa);
  if (!parsed)
    return std::nullopt;
  job.isa = *parsed;
  if (in.peek() == EOF)
    return job;
  const std::pair<const char *, std::string *> images[] = {
      {"images ", &job.images.archs}, {"ptxas ", &job.images.ptxas}, {"version ", &job.images.version}};
  if (!readFields(in, images) || in.peek() != EOF)
    return std::nullopt;
  return job;
}

std::string encodeOutcome(const KernelOutcome &outcome) {
  if (auto *error = std::get_if<std::string>(&outcome))
    return "E" + *error;
  const auto &artifact = std::get<KernelArtifact>(outcome);
  std::string bytes = "K";
  bytes.append(reinterpret_cast<const char *>(&artifact.scratchBytes), sizeof artifact.scratchBytes);
  bytes.append(artifact.object.begin(), artifact.object.end());
  return bytes;
}

std::optional<KernelOutcome> decodeOutcome(const std::string &bytes) {
  KernelArtifact artifact;
  constexpr size_t kObject = 1 + sizeof artifact.scratchBytes;
  if (!bytes.empty() && bytes[0] == 'E')
    return KernelOutcome(bytes.substr(1));
  if (bytes.size() < kObject || bytes[0] != 'K')
    return std::nullopt;
  std::memcpy(&artifact.scratchBytes, bytes.data() + 1, sizeof artifact.scratchBytes);
  artifact.object.assign(bytes.begin() + kObject, bytes.end());
  return KernelOutcome(std::move(artifact));
}

std::string frame(const std::string &message) {
  const uint64_t size = message.size();
  return std::string(reinterpret_cast<const char *>(&size), sizeof size) + message;
}

namespace {

/// A kernel is a few thousand lines of IR: beyond this something runs away, and the machine must survive it.
constexpr rlim_t kMemoryBytes = rlim_t(6) << 30;
constexpr uint64_t kLongestJob = 1 << 20;

bool readAll(int fd, char *to, size_t size) {
  while (size > 0) {
    const ssize_t n = read(fd, to, size);
    if (n == 0 || (n < 0 && errno != EINTR))
      return false;
    to += n > 0 ? n : 0;
    size -= n > 0 ? n : 0;
  }
  return true;
}

bool writeAll(int fd, const std::string &bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = write(fd, bytes.data() + sent, bytes.size() - sent);
    if (n < 0 && errno != EINTR)
      return false;
    sent += n > 0 ? n : 0;
  }
  return true;
}

KernelOutcome answer(const std::string &text, const KernelCompiler &compile) {
  const std::optional<KernelJob> job = decodeJob(text);
  if (!job)
    return "this is not a kernel job:\n" + text;
  try {
    return compile(*job);
  } catch (const std::exception &error) {
    return "kernel '" + job->problem + "': " + error.what();
  } catch (...) {
    return "kernel '" + job->problem + "': an exception of unknown type";
  }
}

int compileFile(const char *path, const KernelCompiler &compile) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) {
    std::fprintf(stderr, "segc: cannot read the job file '%s'\n", path);
    return 1;
  }
  const KernelOutcome outcome = answer(text.str(), compile);
  if (auto *error = std::get_if<std::string>(&outcome)) {
    std::fprintf(stderr, "segc: %s\n", error->c_str());
    return 1;
  }
  const auto &artifact = std::get<KernelArtifact>(outcome);
  std::printf("%zu bytes of object code, %llu bytes of scratch\n", artifact.object.size(),
              static_cast<unsigned long long>(artifact.scratchBytes));
  return 0;
}

} // namespace

int runKernelWorker(int argc, char **argv, const KernelCompiler &compile) {
  if (argc > 1)
    return compileFile(
        argv[1], compile ? compile : [](const KernelJob &job) { return schedules::compileKernelHere(job); });
  const KernelCompiler compiler =
      compile ? compile : [](const KernelJob &job) { return schedules::compileKernel(job); };
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit memory = {kMemoryBytes, kMemoryBytes}, noCore = {0, 0};
  setrlimit(RLIMIT_DATA, &memory);
  setrlimit(RLIMIT_CORE, &noCore);
  uint64_t size;
  while (readAll(0, reinterpret_cast<char *>(&size), sizeof size)) {
    std::string text(size <= kLongestJob ? size : 0, '\0');
    if (size > kLongestJob || !readAll(0, text.data(), size))
      return 1;
    if (!writeAll(0, frame(encodeOutcome(answer(text, compiler)))))
      return 1;
  }
  return 0;
}

} // namespace segc
