/// \file Objects become functions through LLVM's linker for running processes.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchKernelCode.h"
#include "runtime/core/Pool.h"
#include "runtime/core/Stream.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;

extern "C" {
int halide_do_par_for(void *, halide_task_t, int, int, uint8_t *);
int halide_do_task(void *, halide_task_t, int, uint8_t *);
int halide_error_out_of_memory(void *);
}

namespace segc {
namespace {

constexpr char kSymbol[] = "segc_bench_kernel";

/// What kernels refer to besides the C library: the runtime's hooks, as in a library.
template <typename Function>
void enter(orc::SymbolMap &map, orc::LLJIT &linker, StringRef name, Function *f) {
  map[linker.mangleAndIntern(name)] = {orc::ExecutorAddr::fromPtr(f),
                                       JITSymbolFlags::Exported | JITSymbolFlags::Callable};
}

} // namespace

KernelCode::~KernelCode() = default;

std::unique_ptr<KernelCode> KernelCode::create(std::string &error) {
  InitializeNativeTarget();
  auto linker = orc::LLJITBuilder().setPlatformSetUp(orc::setUpInactivePlatform).create();
  if (!linker) {
    error = "kernels cannot be run in this process: " + toString(linker.takeError());
    return nullptr;
  }
  std::unique_ptr<KernelCode> code(new KernelCode);
  code->linker = std::move(*linker);
  return code;
}

LoadedKernel KernelCode::link(const schedules::KernelArtifact &artifact) {
  LoadedKernel result;
  result.scratchBytes = artifact.scratchBytes;
  const std::string name = "kernel" + std::to_string(count++);
  auto define = [&]() -> Error {
    auto library = linker->createJITDylib(name);
    if (!library)
      return library.takeError();
    orc::SymbolMap hooks;
    enter(hooks, *linker, "halide_do_par_for", halide_do_par_for);
    enter(hooks, *linker, "halide_do_task", halide_do_task);
    enter(hooks, *linker, "halide_malloc", halide_malloc);
    enter(hooks, *linker, "halide_free", halide_free);
    enter(hooks, *linker, "halide_error_out_of_memory", halide_error_out_of_memory);
    enter(hooks, *linker, "segc_stream", segc_stream);
    enter(hooks, *linker, "segc_stream_end", segc_stream_end);
    if (Error error = library->define(orc::absoluteSymbols(std::move(hooks))))
      return error;
    const StringRef bytes(reinterpret_cast<const char *>(artifact.object.data()), artifact.object.size());
    if (Error error = linker->addObjectFile(*library, MemoryBuffer::getMemBufferCopy(bytes, name)))
      return error;
    auto function = linker->lookup(*library, std::string(kSymbol) + "_argv");
    if (!function)
      return function.takeError();
    result.function = function->toPtr<rt::KernelFn>();
    return Error::success();
  };
  if (Error error = define())
    result.error = "the kernel's object cannot be linked: " + toString(std::move(error));
  return result;
}

std::vector<LoadedKernel> KernelCode::load(const std::vector<Job> &jobs, schedules::Isa isa,
                                           const JobOptions &options) {
  std::vector<schedules::KernelJob> all;
  for (const Job &job : jobs)
    all.push_back({kSymbol, job.problem, job.schedule, isa});
  std::vector<LoadedKernel> result;
  auto together = compileKernels(all, options);
  if (auto *kernels = std::get_if<CompiledKernels>(&together)) {
    for (const schedules::KernelArtifact &artifact : kernels->artifacts)
      result.push_back(link(artifact));
    return result;
  }
  // One failed and ended the others: those that can be compiled are found one by one.
  for (const schedules::KernelJob &job : all) {
    auto alone = compileKernels({job}, options);
    auto *kernels = std::get_if<CompiledKernels>(&alone);
    result.push_back(kernels ? link(kernels->artifacts[0]) : LoadedKernel{nullptr, 0, std::get<1>(alone)});
  }
  return result;
}

KernelThreads::KernelThreads(int threads, uint64_t scratchBytes)
    : lanes(threads), scratch(threads), crew{lanes.data(), threads, false, nullptr},
      ready(segc_pool_v1_retain(threads) == 0) {
  constexpr size_t kAlignment = 64;
  for (int i = 0; i < threads; ++i) {
    scratch[i].resize(scratchBytes + kAlignment);
    const auto address = reinterpret_cast<uintptr_t>(scratch[i].data());
    lanes[i] =
        rt::Lane{&crew, scratch[i].data() + (kAlignment - address % kAlignment), scratchBytes, 0, 0, {}};
  }
}

KernelThreads::~KernelThreads() {
  if (ready)
    segc_pool_v1_release();
}

int KernelThreads::run(rt::KernelFn function, const std::vector<halide_buffer_t *> &arguments) {
  void *context = lanes.data();
  std::vector<void *> args = {&context};
  args.insert(args.end(), arguments.begin(), arguments.end());
  return function(args.data());
}

} // namespace segc
