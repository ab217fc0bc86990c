/// \file Runs ptxas on temporary files and reads its report.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/Assemble.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cctype>
#include <cstdlib>

using namespace llvm;

namespace segc::tensorcore {
namespace {

Expected<std::string> temporary(const char *suffix, FileRemover &remover, const std::string &content) {
  SmallString<128> path;
  int descriptor;
  if (std::error_code error = sys::fs::createTemporaryFile("segc", suffix, descriptor, path))
    return createStringError("no temporary file for ptxas: " + error.message());
  remover.setFile(path);
  raw_fd_ostream stream(descriptor, true);
  stream << content;
  stream.close();
  if (stream.has_error()) {
    stream.clear_error();
    return createStringError("cannot write " + path.str().str());
  }
  return path.str().str();
}

/// The largest number in front of `words`.
int largest(StringRef report, StringRef words) {
  int result = 0;
  for (size_t at = report.find(words); at != StringRef::npos; at = report.find(words, at + 1)) {
    size_t first = at;
    while (first > 0 && std::isdigit(static_cast<unsigned char>(report[first - 1])))
      first--;
    int value = 0;
    if (!report.slice(first, at).getAsInteger(10, value) && value > result)
      result = value;
  }
  return result;
}

} // namespace

std::optional<std::string> findPtxas() {
  if (const char *home = std::getenv("CUDA_HOME"))
    if (ErrorOr<std::string> path = sys::findProgramByName("ptxas", {std::string(home) + "/bin"}))
      return *path;
  if (ErrorOr<std::string> path = sys::findProgramByName("ptxas"))
    return *path;
  if (ErrorOr<std::string> path =
          sys::findProgramByName("ptxas", {"/usr/local/cuda/bin", "/usr/lib/cuda/bin"}))
    return *path;
  return std::nullopt;
}

Expected<std::string> ptxasVersion(const std::string &ptxas) {
  FileRemover remove;
  Expected<std::string> file = temporary("txt", remove, "");
  if (!file)
    return file.takeError();
  std::string message;
  const std::optional<StringRef> redirects[] = {StringRef(""), StringRef(*file), StringRef(*file)};
  const int status =
      sys::ExecuteAndWait(ptxas, {ptxas, "--version"}, std::nullopt, redirects, 20, 0, &message);
  ErrorOr<std::unique_ptr<MemoryBuffer>> text = MemoryBuffer::getFile(*file);
  if (status || !text || (*text)->getBuffer().trim().empty())
    return createStringError("'" + ptxas + "' is no ptxas: `--version` " +
                             (message.empty() ? "says nothing or fails" : message));
  std::string version = (*text)->getBuffer().trim().str();
  std::replace_if(version.begin(), version.end(), [](unsigned char c) { return std::isspace(c); }, ' ');
  return version;
}

Expected<Cubin> assemble(const std::string &ptx, const std::string &arch, const std::string &ptxas) {
  FileRemover removeInput, removeOutput, removeReport;
  Expected<std::string> input = temporary("ptx", removeInput, ptx);
  if (!input)
    return input.takeError();
  Expected<std::string> output = temporary("cubin", removeOutput, "");
  if (!output)
    return output.takeError();
  Expected<std::string> report = temporary("txt", removeReport, "");
  if (!report)
    return report.takeError();
  std::string message;
  const std::string target = "-arch=" + arch;
  const std::optional<StringRef> redirects[] = {StringRef(""), StringRef(*report), StringRef(*report)};
  const int status = sys::ExecuteAndWait(ptxas, {ptxas, target, "-v", *input, "-o", *output}, std::nullopt,
                                         redirects, 0, 0, &message);
  ErrorOr<std::unique_ptr<MemoryBuffer>> text = MemoryBuffer::getFile(*report);
  const StringRef said = text ? (*text)->getBuffer() : StringRef();
  if (status)
    return createStringError(ptxas + " " + target + " failed: " + (message.empty() ? said.str() : message));
  ErrorOr<std::unique_ptr<MemoryBuffer>> cubin = MemoryBuffer::getFile(*output);
  if (!cubin || (*cubin)->getBufferSize() == 0)
    return createStringError(ptxas + " " + target + " wrote nothing");
  std::string losses;
  SmallVector<StringRef> lines;
  said.split(lines, '\n');
  for (StringRef line : lines)
    if (line.contains("Potential Performance Loss") || line.contains(" is injected "))
      losses += line.str() + "\n";
  return Cubin{(*cubin)->getBuffer().str(), largest(said, " registers"),
               largest(said, " bytes stack frame") + largest(said, " bytes spill stores") +
                   largest(said, " bytes spill loads"),
               losses};
}

} // namespace segc::tensorcore
