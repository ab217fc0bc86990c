/// \file Loading models for the tools.
// SPDX-License-Identifier: MIT
#include "compiler/tools/ToolSupport.h"
#include "compiler/Pipeline.h"
#include "compiler/analysis/MaxShape.h"
#include "compiler/codegen/Cache.h"
#include "schedules/tensorcore/Assemble.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace segc {

/// "512M", "2G", "4096": bytes.
static std::optional<uint64_t> parseBytes(StringRef text) {
  uint64_t unit = 1;
  if (!text.empty() && StringRef("kKmMgG").contains(text.back())) {
    char suffix = llvm::toLower(text.back());
    unit = suffix == 'k' ? 1u << 10 : suffix == 'm' ? 1u << 20 : 1u << 30;
    text = text.drop_back();
  }
  uint64_t number;
  if (text.getAsInteger(10, number) || number == 0 || number > (uint64_t(1) << 50) / unit)
    return std::nullopt;
  return number * unit;
}

/// segc itself, for its kernel workers; the other tools lie beside it.
static std::string compilerExecutable() {
  static int anchor;
  std::string self = llvm::sys::fs::getMainExecutable("segc", &anchor);
  SmallString<256> path(llvm::sys::path::parent_path(self));
  llvm::sys::path::append(path, "segc");
  return path.str().str();
}

/// The example models, which any model may include blocks from: where they are installed, and in the build.
static std::string zooFolder() {
  SmallString<256> folder(llvm::sys::path::parent_path(llvm::sys::path::parent_path(compilerExecutable())));
  llvm::sys::path::append(folder, "share", "segc", "models");
  return llvm::sys::fs::is_directory(folder) ? folder.str().str() : "";
}

/// How activations lie in memory; empty or what is wrong with the flags.
static std::string readPrecision(const ToolOptions &options, CompileOptions &compile) {
  std::string precision = options.value(options::OPT_precision_eq, "f32");
  compile.precision = precision;
  if (precision == "f32")
    return "";
  if (precision == "tf32") // training too
    return options.value(options::OPT_target_eq, "cpu") == "cuda"
               ? ""
               : "-precision tf32 is how tensor cores multiply f32: it goes with -target cuda";
  if (precision == "i8")
    return "-precision i8 is not supported; there are f32, bf16, f16 and tf32";
  if (precision != "bf16" && precision != "f16")
    return "-precision '" + precision + "' is unknown" +
           suggestion(precision, {"f32", "bf16", "f16", "tf32"});
  return "";
}

/// For which GPUs objects hold machine code beside their PTX, and who makes it; empty or what is wrong with
/// the flags.
static std::string readImages(const ToolOptions &options, CompileOptions &compile) {
  if (!options.has(options::OPT_arch_eq))
    return options.has(options::OPT_ptxas_eq) ? "-ptxas goes with -arch, which says what it makes" : "";
  const std::vector<StringRef> known = {"sm_80",  "sm_86",  "sm_87",  "sm_89", "sm_90",
                                        "sm_90a", "sm_100", "sm_103", "sm_120"};
  std::string archs = options.value(options::OPT_arch_eq);
  SmallVector<StringRef> names, all;
  StringRef(archs).split(names, ',');
  // In their order, each once. What is not for sm_90a alone is machine code for sm_90.
  compile.sm90a = llvm::is_contained(names, "sm_90a");
  for (StringRef name : known)
    if (name != "sm_90a" && (llvm::is_contained(names, name) || (name == "sm_90" && compile.sm90a)))
      all.push_back(name);
  for (StringRef name : names)
    if (!llvm::is_contained(known, name))
      return ("-arch '" + name + "' is unknown or too old; there are " + llvm::join(known, ", ")).str();
  if (compile.variants[0] != schedules::Isa::Cuda)
    return ""; // emulated
  std::optional<std::string> ptxas =
      options.has(options::OPT_ptxas_eq) ? options.value(options::OPT_ptxas_eq) : tensorcore::findPtxas();
  if (!ptxas) {
    llvm::errs() << "note: there is no ptxas (-ptxas, $CUDA_HOME, $PATH): the library holds PTX alone, which "
                    "the driver compiles when it loads it\n";
    return "";
  }
  llvm::Expected<std::string> version = tensorcore::ptxasVersion(*ptxas);
  if (!version)
    return llvm::toString(version.takeError());
  compile.images = {llvm::join(all, ","), *ptxas, *version};
  return "";
}

/// What kernels are compiled for; empty or what is wrong with the flags.
static std::string readTarget(const ToolOptions &options, CompileOptions &compile) {
  std::string target = options.value(options::OPT_target_eq, "cpu");
  if (target != "cpu" && target != "cuda" && target != "opencl")
    return "-target '" + target + "' is unknown" + suggestion(target, {"cpu", "cuda", "opencl"});
  bool gpu = target != "cpu";
  if (!gpu && options.has(options::OPT_device_eq))
    return "-device goes with -target cuda or opencl";
  if (target != "cuda" && options.has(options::OPT_arch_eq))
    return "-arch goes with -target cuda";
  if (!gpu) {
    std::string error;
    compile.variants = parseVariants(options.value(options::OPT_mcpu_eq, "native"), error, compile.precision);
    return error;
  }
  if (options.has(options::OPT_mcpu_eq))
    return "-mcpu goes with -target cpu";
  std::string device = options.value(options::OPT_device_eq, "0");
  unsigned number = 0;
  bool emulated = device == "emulated";
  if (!emulated && StringRef(device).getAsInteger(10, number))
    return "-device '" + device + "' must be a number or emulated";
  setenv("SEGC_DEVICE", std::to_string(number).c_str(), options.has(options::OPT_device_eq));
  compile.variants = {target == "cuda" && !emulated ? schedules::Isa::Cuda : schedules::Isa::OpenCl};
  return readImages(options, compile);
}

/// The schedules that the user wants: lines "LAYER: FAMILY [key=value ...]"; empty or what is wrong.
static std::string readSchedules(const std::string &path, CompileOptions &compile) {
  constexpr uint64_t kMostBytes = 1 << 20;
  auto text = llvm::MemoryBuffer::getFile(path);
  if (!text)
    return "-schedule '" + path + "' cannot be read: " + text.getError().message();
  if ((*text)->getBufferSize() > kMostBytes)
    return "-schedule '" + path + "' is larger than a MB";
  SmallVector<StringRef> lines;
  (*text)->getBuffer().split(lines, '\n');
  for (auto [index, whole] : llvm::enumerate(lines)) {
    StringRef line = whole.split('#').first.trim();
    if (line.empty())
      continue;
    const std::string where = path + ":" + std::to_string(index + 1) + ": ";
    auto [layer, point] = line.split(':');
    if (layer.trim().empty() || point.trim().empty())
      return where + quote(line) +
             " must be LAYER: FAMILY [key=value ...], such as conv1: direct cv=4 px=6 rows=4";
    auto parsed = schedules::Schedule::parse(point.trim().str());
    if (auto *why = std::get_if<std::string>(&parsed))
      return where + *why;
    const std::string &family = std::get<schedules::Schedule>(parsed).family;
    if (!schedules::findFamily(family)) {
      SmallVector<StringRef> known;
      for (const schedules::Family &each : schedules::families())
        known.push_back(each.name);
      return where + "unknown schedule family " + quote(family) + suggestion(family, known);
    }
    compile.asked.push_back(line.str());
  }
  return "";
}

std::optional<CompileOptions> readCompileOptions(const ToolOptions &options) {
  CompileOptions compile;
  std::string wrong = readPrecision(options, compile);
  if (wrong.empty())
    wrong = readTarget(options, compile);
  if (wrong.empty() && options.has(options::OPT_schedule_eq) && !options.has(options::OPT_kernel_eq))
    wrong = readSchedules(options.value(options::OPT_schedule_eq), compile);
  if (!wrong.empty()) {
    fail(wrong);
    return std::nullopt;
  }
  std::string mode = options.value(options::OPT_mode_eq, "infer");
  if (mode != "infer" && mode != "train" && mode != "both") {
    fail("-mode '" + mode + "' is unknown" + suggestion(mode, {"infer", "train", "both"}));
    return std::nullopt;
  }
  std::string winograd = options.value(options::OPT_winograd_eq, "on");
  if (winograd != "on" && winograd != "off") {
    fail("-winograd '" + winograd + "' must be on or off");
    return std::nullopt;
  }
  compile.winograd = winograd == "on";
  std::string cores = options.value(options::OPT_tensor_cores_eq, "on");
  if (cores != "on" && cores != "off") {
    fail("-tensor-cores '" + cores + "' must be on or off");
    return std::nullopt;
  }
  compile.tensorCores = cores == "on" && options.value(options::OPT_target_eq, "cpu") == "cuda";
  std::string cache = options.value(options::OPT_cache_eq);
  compile.cacheDirectory = cache == "none" ? "" : cache.empty() ? defaultCacheDirectory() : cache;
  compile.executable = compilerExecutable();
  auto workers = options.number(options::OPT_jobs_eq, 0, 1, 256);
  if (!workers)
    return std::nullopt;
  compile.workers = static_cast<unsigned>(*workers);
  if (options.has(options::OPT_memory_limit_eq)) {
    auto limit = parseBytes(options.value(options::OPT_memory_limit_eq));
    if (!limit) {
      fail("-memory-limit '" + options.value(options::OPT_memory_limit_eq) +
           "' must be a number of bytes, or with K, M or G behind it");
      return std::nullopt;
    }
    compile.memoryLimit = *limit;
  }
  compile.verbose = options.has(options::OPT_verbose);
  return compile;
}

std::unique_ptr<LoadedModel> loadModel(const ToolOptions &options, const std::string &path,
                                       const std::vector<std::string> &tensors, bool everything,
                                       int &exitCode) {
  exitCode = 1;
  auto loaded = std::make_unique<LoadedModel>();
  auto compile = readCompileOptions(options);
  if (!compile)
    return nullptr;
  loaded->compile = *compile;
  loaded->path = path;
  DialectRegistry registry;
  registerDialects(registry);
  loaded->context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  loaded->context->loadAllAvailableDialects();
  loaded->diagnostics = std::make_unique<Diagnostics>(llvm::errs());
  auto text = loaded->diagnostics->addFile(path, JsonLimits().bytes);
  if (failed(text))
    return nullptr;
  std::vector<std::string> names = importableOps(*loaded->context);
  std::vector<StringRef> ops(names.begin(), names.end());
  std::string folder = llvm::sys::path::parent_path(path).str();
  auto model = parseModel(*text, options.all(options::OPT_set_eq), ops, *loaded->diagnostics,
                          {folder.empty() ? "." : folder, zooFolder()});
  if (failed(model))
    return nullptr;
  if (options.has(options::OPT_prune_eq) &&
      failed(model->prune(options.value(options::OPT_prune_eq), *loaded->diagnostics)))
    return nullptr;
  loaded->model = std::move(*model);
  ImportOptions importing{tensors, everything};
  std::string mode = options.value(options::OPT_mode_eq, "infer");
  importing.training = mode == "train";
  loaded->graph = importModel(*loaded->context, *loaded->diagnostics, *loaded->model, importing);
  if (!loaded->graph)
    return nullptr;
  if (mode == "both") {
    importing.training = true;
    loaded->training = importModel(*loaded->context, *loaded->diagnostics, *loaded->model, importing);
    if (!loaded->training)
      return nullptr;
  }
  for (const std::string &bound : options.all(options::OPT_max_shape_eq))
    for (ModuleOp graph : {loaded->graph.get(), loaded->training.get()}) {
      std::string problem = graph ? setMaxShape(graph, bound) : "";
      if (problem.empty())
        continue;
      fail(problem);
      return nullptr;
    }
  Diagnostics *diagnostics = loaded->diagnostics.get();
  loaded->handler =
      std::make_unique<ScopedDiagnosticHandler>(loaded->context.get(), [diagnostics](Diagnostic &diagnostic) {
        report(*diagnostics, diagnostic);
        return success();
      });
  exitCode = 0;
  return loaded;
}

std::unique_ptr<LoadedModel> loadModel(const ToolOptions &options, const std::vector<std::string> &tensors,
                                       bool everything, int &exitCode) {
  exitCode = 1;
  if (options.positional().size() != 1) {
    fail(options.positional().empty() ? "no model given (-help shows how)"
                                      : "one model at a time: '" + options.positional()[1] + "' is too many");
    return nullptr;
  }
  return loadModel(options, options.positional()[0], tensors, everything, exitCode);
}

} // namespace segc
