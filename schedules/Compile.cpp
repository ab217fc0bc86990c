/// \file Lowers and compiles one kernel, checks what Halide made of it, and isolates that in a child process.
// SPDX-License-Identifier: MIT
#include "schedules/Compile.h"
#include "schedules/Storage.h"
#include "schedules/gpu/Launches.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {
namespace {

/// The most bytes of halide_malloc that are live at once in one function, in blocks of 128 bytes. Halide puts
/// a temporary on the stack if it is asked to or if it is small (16 KB), and calls halide_malloc for the
/// others.
class HeapUse : public ir::IRVisitor {
public:
  uint64_t most = 0;
  std::string unbounded; ///< name of a temporary without a constant size

private:
  uint64_t live = 0;
  using IRVisitor::visit;
  void visit(const ir::Allocate *op) override {
    constexpr uint64_t kStackLimit = 16 * 1024, kBlock = 128, kOverread = 64;
    const uint64_t bytes = uint64_t(op->constant_allocation_size()) * op->type.bytes();
    const bool empty = ir::is_const_zero(op->condition);
    if (bytes == 0 && !empty)
      unbounded = op->name;
    const bool heap =
        op->memory_type == MemoryType::Heap || (op->memory_type == MemoryType::Auto && bytes > kStackLimit);
    const uint64_t taken = heap ? (bytes + kOverread + kBlock - 1) / kBlock * kBlock : 0;
    live += taken;
    most = std::max(most, live);
    IRVisitor::visit(op);
    live -= taken;
  }
};

/// One thread runs the function itself and one of its tasks, which Halide made functions of their own.
uint64_t scratchBytes(const Module &module, const std::string &symbol) {
  uint64_t own = 0, task = 0;
  for (const ir::LoweredFunc &function : module.functions()) {
    HeapUse use;
    function.body.accept(&use);
    if (!use.unbounded.empty())
      throw CompileError("temporary '" + use.unbounded + "' has no constant size");
    uint64_t &most = function.name == symbol ? own : task;
    most = std::max(most, use.most);
  }
  return own + task;
}

/// Runs `fill` with a fresh directory, which is gone afterwards.
template <typename Fill> void withDirectory(const Fill &fill) {
  std::string path = (std::filesystem::temp_directory_path() / "segc-kernel-XXXXXX").string();
  if (!mkdtemp(path.data()))
    throw CompileError("no temporary directory: " + std::string(std::strerror(errno)));
  fill(path);
  std::filesystem::remove_all(path);
}
std::string readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Tells Halide's runtime how many bytes the code has that it is handed.
class CodeSize : public ir::IRMutator {
public:
  explicit CodeSize(int bytes) : bytes(bytes) {}

private:
  using IRMutator::visit;
  Expr visit(const ir::Call *call) override {
    constexpr size_t kBytes = 2; // behind the variable that keeps the module, and the code
    if (call->name != "halide_cuda_initialize_kernels")
      return IRMutator::visit(call);
    std::vector<Expr> args = call->args;
    args[kBytes] = bytes;
    return ir::Call::make(call->type, call->name, args, call->call_type);
  }
  const int bytes;
};

/// The module with machine code behind its PTX.
Module withImages(const Module &module, const Images &images) {
  const Buffer<> ptx = module.get_cuda_ptx_assembly_buffer();
  if (!ptx.defined())
    throw CompileError("there is no PTX to which machine code could be added");
  std::string code(static_cast<const char *>(ptx.data()), ptx.size_in_bytes());
  if (const std::string wrong = addImages(code, images); !wrong.empty())
    throw CompileError(wrong);
  Buffer<uint8_t> all(int(code.size()), ptx.name());
  std::memcpy(all.data(), code.data(), code.size());
  Module result(module.name(), module.target(), module.get_metadata_name_map());
  result.set_any_strict_float(module.any_strict_float());
  for (const Buffer<> &buffer : module.buffers())
    result.append(buffer.name() == ptx.name() ? Buffer<>(all) : buffer);
  CodeSize size(int(code.size()));
  for (ir::LoweredFunc function : module.functions()) {
    function.body = size.mutate(function.body);
    result.append(function);
  }
  return result;
}

KernelArtifact compile(const KernelJob &job, const KernelSpec &spec, const Schedule &schedule,
                       bool readable) {
  StrictHalide strict;
  KernelBuild build = buildKernel(spec, schedule, job.isa);
  std::vector<Argument> arguments(build.inputs.begin(), build.inputs.end());
  Module module = build.pipeline.compile_to_module(arguments, job.symbol, targetOf(job.isa),
                                                   LinkageType::ExternalPlusArgv);
  checkLaunches(module);
  if (!job.images.archs.empty())
    module = withImages(module, job.images);
  KernelArtifact result;
  result.scratchBytes = scratchBytes(module, job.symbol);
  const Buffer<uint8_t> object = module.compile_to_buffer();
  result.object.assign(object.begin(), object.end());
  if (readable)
    withDirectory([&](const std::string &directory) {
      const std::string path = directory + "/kernel";
      std::map<OutputFileType, std::string> files = {{OutputFileType::stmt, path + ".stmt"},
                                                     {OutputFileType::llvm_assembly, path + ".ll"},
                                                     {OutputFileType::assembly, path + ".s"}};
      if (isGpu(job.isa))
        files[OutputFileType::device_code] = path + ".dev";
      module.compile(files);
      if (isGpu(job.isa))
        result.device = readFile(path + ".dev").c_str(); // ends with a zero
      result.stmt = readFile(path + ".stmt");
      result.llvm = readFile(path + ".ll");
      result.assembly = readFile(path + ".s");
    });
  if (!strict.warnings.empty())
    throw CompileError(strict.warnings);
  return result;
}

using Outcome = std::variant<KernelArtifact, std::string>;

/// The bytes a child process sends: 0 or 1 (failed), then each part as length and contents.
void writePart(std::string &to, const std::string &part) {
  const uint64_t size = part.size();
  to.append(reinterpret_cast<const char *>(&size), sizeof size).append(part);
}
std::string encode(const Outcome &outcome) {
  std::string bytes(1, char(outcome.index()));
  if (auto *error = std::get_if<std::string>(&outcome)) {
    writePart(bytes, *error);
    return bytes;
  }
  const KernelArtifact &a = std::get<KernelArtifact>(outcome);
  for (const std::string &part : {std::string(a.object.begin(), a.object.end()),
                                  std::to_string(a.scratchBytes), a.stmt, a.llvm, a.assembly, a.device})
    writePart(bytes, part);
  return bytes;
}
/// False if the bytes end early, as they do when the child died.
bool decode(const std::string &bytes, Outcome &outcome) {
  size_t at = 1;
  std::vector<std::string> parts;
  while (at + sizeof(uint64_t) <= bytes.size()) {
    uint64_t size;
    std::memcpy(&size, bytes.data() + at, sizeof size);
    at += sizeof size;
    if (size > bytes.size() - at)
      return false;
    parts.push_back(bytes.substr(at, size));
    at += size;
  }
  if (bytes.empty() || parts.size() != (bytes[0] ? 1 : 6))
    return false;
  if (bytes[0]) {
    outcome = parts[0];
    return true;
  }
  KernelArtifact a;
  a.object.assign(parts[0].begin(), parts[0].end());
  a.scratchBytes = std::stoull(parts[1]);
  a.stmt = parts[2], a.llvm = parts[3], a.assembly = parts[4], a.device = parts[5];
  outcome = std::move(a);
  return true;
}

void sendAll(int fd, const std::string &bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = write(fd, bytes.data() + sent, bytes.size() - sent);
    if (n < 0 && errno != EINTR)
      return;
    sent += n > 0 ? n : 0;
  }
}
std::string receiveAll(int fd) {
  std::string bytes;
  char chunk[65536];
  for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) != 0;) {
    if (n < 0 && errno != EINTR)
      break;
    bytes.append(chunk, n > 0 ? n : 0);
  }
  return bytes;
}

std::string failure(const KernelJob &job, const std::string &why) {
  return "kernel '" + job.problem + "', schedule '" + job.schedule + "' (" + name(job.isa) + "): " + why;
}

} // namespace

Outcome compileKernelHere(const KernelJob &job, bool readable) {
  auto spec = KernelSpec::parse(job.problem);
  if (auto *error = std::get_if<std::string>(&spec))
    return *error;
  auto schedule = Schedule::parse(job.schedule);
  if (auto *error = std::get_if<std::string>(&schedule))
    return failure(job, *error);
  const std::string wrong = checkSchedule(std::get<KernelSpec>(spec), std::get<Schedule>(schedule), job.isa);
  if (!wrong.empty())
    return failure(job, wrong);
  if (const Family *family = findFamily(std::get<Schedule>(schedule).family); family->compile) {
    Outcome outcome =
        family->compile(job, std::get<KernelSpec>(spec), std::get<Schedule>(schedule), readable);
    auto *error = std::get_if<std::string>(&outcome);
    return error ? failure(job, *error) : outcome;
  }
  try {
    return compile(job, std::get<KernelSpec>(spec), std::get<Schedule>(schedule), readable);
  } catch (const Error &error) { // no std::exception
    return failure(job, error.what());
  }
}

Outcome compileKernel(const KernelJob &job, bool readable) {
  int fd[2];
  if (pipe(fd) != 0)
    return failure(job, std::string("no pipe: ") + std::strerror(errno));
  const pid_t child = fork();
  if (child == 0) {
    close(fd[0]);
    sendAll(fd[1], encode(compileKernelHere(job, readable)));
    _exit(0); // neither destructors nor buffered output of the parent
  }
  close(fd[1]);
  const std::string bytes = child > 0 ? receiveAll(fd[0]) : "";
  close(fd[0]);
  if (child < 0)
    return failure(job, std::string("no process: ") + std::strerror(errno));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Outcome outcome;
  if (decode(bytes, outcome))
    return outcome;
  return failure(job, WIFSIGNALED(status)
                          ? "the compiler ended with signal " + std::to_string(WTERMSIG(status))
                          : "the compiler ended without a result");
}

} // namespace segc::schedules
