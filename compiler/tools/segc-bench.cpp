/// \file segc-bench: how long a model takes, kernel by kernel, and how far that is from the machine's peak.
// SPDX-License-Identifier: MIT
#include "compiler/report/Summary.h"
#include "compiler/tools/Bench.h"
#include "compiler/tools/BenchFamilies.h"
#include "compiler/tools/BenchKernel.h"
#include "compiler/tools/BenchOptions.h"
#include "compiler/tools/GpuRoof.h"
#include "compiler/tools/Load.h"
#include "compiler/tools/OpenModel.h"
#include "runtime/files/WriteWhole.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <map>

using namespace segc;

namespace {

/// Launches with one label: the phases of a deconvolution are one row.
struct Row {
  std::string layers, problem;
  double milliseconds = 0, operations = 0, bytes = 0;
};

struct Report {
  std::string name;
  bool training = false;
  llvm::StringMap<int64_t> macs; ///< of each layer; empty for a library and for training
  llvm::StringMap<double> bytes; ///< that the launches of a label read and write; likewise
  int64_t totalMacs = 0;
  std::optional<GpuRoof> roof; ///< of a library for CUDA
  uint64_t memory = 0, workspace = 0;
  std::vector<BenchResult> results;
  std::vector<double> peaks; ///< for each result, in GFLOP/s

  std::vector<Row> rows(const BenchResult &result) const {
    std::vector<Row> rows;
    std::map<std::string, size_t> known;
    for (const BenchStep &step : result.steps) {
      auto [entry, isNew] =
          known.try_emplace(step.layers + "\n" + (training ? step.problem : ""), rows.size());
      if (isNew) {
        rows.push_back({step.layers, step.problem});
        llvm::SmallVector<llvm::StringRef> names;
        llvm::StringRef(step.layers).split(names, '+');
        for (llvm::StringRef layer : names)
          rows.back().operations += 2.0 * static_cast<double>(macs.lookup(layer));
        rows.back().bytes = bytes.lookup(step.layers);
      }
      rows[entry->second].milliseconds += step.milliseconds;
    }
    return rows;
  }
};

/// GFLOP/s, or GB/s for bytes.
double gflops(double operations, double milliseconds) { return 1e-6 * operations / milliseconds; }

/// How much of the time of a row (or of several) the GPU would need at least.
double ofRoof(const GpuRoof &roof, llvm::ArrayRef<Row> rows, double milliseconds) {
  double least = 0;
  for (const Row &row : rows)
    least += roof.leastMilliseconds(row.operations, row.bytes, row.problem);
  return least / milliseconds;
}

/// The table of a GPU: a kernel is bound by the units or by the memory, whichever takes longer.
void printGpu(const Report &report, const BenchResult &result) {
  llvm::raw_ostream &out = llvm::outs();
  const GpuRoof &roof = *report.roof;
  out << llvm::format(
      "%s: %.1f TFLOP/s in f32, %.0f on tensor cores (TF32 half), %.0f GB/s at its highest clocks\n",
      roof.device.c_str(), 1e-3 * roof.single, 1e-3 * roof.tensor, roof.memory);
  double sum = 0;
  std::vector<Row> rows = report.rows(result);
  for (const Row &row : rows)
    sum += row.milliseconds;
  if (!report.bytes.empty())
    out << llvm::format(
        "the kernels, one by one as below, would take %.0f %% of the run's time at the roof\n",
        100 * ofRoof(roof, rows, result.milliseconds.front()));
  out << "\n       ms      %  TFLOP/s    GB/s  of roof  layers, kernel (each waited for)\n";
  for (const Row &row : rows) {
    out << llvm::format("%9.4f  %5.1f  ", row.milliseconds, 100 * row.milliseconds / sum);
    if (row.operations > 0)
      out << llvm::format("%7.2f  ", 1e-3 * gflops(row.operations, row.milliseconds));
    else
      out << llvm::right_justify("", 9);
    if (row.bytes > 0)
      out << llvm::format("%6.0f  %5.0f %%  ", gflops(row.bytes, row.milliseconds),
                          100 * ofRoof(roof, row, row.milliseconds));
    else
      out << llvm::right_justify("", 17);
    out << row.layers << (row.problem.empty() ? "" : "  ") << row.problem << "\n";
  }
}

void print(const Report &report) {
  llvm::raw_ostream &out = llvm::outs();
  const double operations = 2.0 * static_cast<double>(report.totalMacs);
  for (auto [result, peak] : llvm::zip(report.results, report.peaks)) {
    double least = result.milliseconds.front();
    out << report.name;
    if (!report.roof)
      out << ", " << result.threads << (result.threads == 1 ? " thread" : " threads");
    out << llvm::format(": least %.3f ms, median %.3f, 95 %% below %.3f, of %zu runs", least,
                        percentile(result.milliseconds, 0.5), percentile(result.milliseconds, 0.95),
                        result.milliseconds.size());
    if (operations > 0 && report.roof)
      out << llvm::format("; %.2f TFLOP/s", 1e-3 * gflops(operations, least));
    else if (operations > 0)
      out << llvm::format("; %.1f GFLOP/s, %.0f %% of the peak of %.1f", gflops(operations, least),
                          100 * gflops(operations, least) / peak, peak);
    out << "\n";
    if (!result.note.empty())
      llvm::errs() << "note: " << result.note << "\n";
  }
  out << llvm::format("memory %.1f MB: workspace", 1e-6 * static_cast<double>(report.memory));
  if (report.workspace)
    out << llvm::format(" of %.1f", 1e-6 * static_cast<double>(report.workspace));
  out << ", weights and what is made of them\n";
  const BenchResult &last = report.results.back();
  if (report.roof)
    return printGpu(report, last);
  double sum = 0;
  std::vector<Row> rows = report.rows(last);
  for (const Row &row : rows)
    sum += row.milliseconds;
  out << "\n       ms      %  GFLOP/s  of peak  layers, kernel (" << last.threads << " threads)\n";
  for (const Row &row : rows) {
    out << llvm::format("%9.3f  %5.1f  ", row.milliseconds, 100 * row.milliseconds / sum);
    if (row.operations > 0)
      out << llvm::format("%7.1f  %5.0f %%  ", gflops(row.operations, row.milliseconds),
                          100 * gflops(row.operations, row.milliseconds) / report.peaks.back());
    else
      out << llvm::right_justify("", 18);
    out << row.layers << (row.problem.empty() ? "" : "  ") << row.problem << "\n";
  }
}

std::string toJson(const Report &report) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream json(stream, 2);
  json.object([&] {
    json.attribute("format", "segc-bench/1");
    json.attribute("model", report.name);
    json.attribute("mode", report.training ? "train" : "infer");
    if (report.totalMacs)
      json.attribute("macs", report.totalMacs);
    json.attribute("memory_bytes", static_cast<int64_t>(report.memory));
    json.attribute("workspace_bytes", static_cast<int64_t>(report.workspace));
    if (report.roof)
      json.attributeObject("gpu", [&] {
        json.attribute("name", report.roof->device);
        json.attribute("f32_gflops", report.roof->single);
        json.attribute("tensor_gflops", report.roof->tensor);
        json.attribute("memory_gb_s", report.roof->memory);
      });
    json.attributeArray("results", [&] {
      for (auto [result, peak] : llvm::zip(report.results, report.peaks))
        json.object([&, &result = result, peak = peak] {
          json.attribute("threads", result.threads);
          json.attribute("runs", static_cast<int64_t>(result.milliseconds.size()));
          json.attribute("rounds", result.rounds);
          json.attribute("quiet_rounds", result.quietRounds);
          json.attribute("min_ms", result.milliseconds.front());
          json.attribute("median_ms", percentile(result.milliseconds, 0.5));
          json.attribute("p95_ms", percentile(result.milliseconds, 0.95));
          json.attribute("peak_gflops", peak);
          json.attributeArray("kernels", [&] {
            for (const Row &row : report.rows(result))
              json.object([&] {
                json.attribute("layers", row.layers);
                json.attribute("problem", row.problem);
                json.attribute("min_ms", row.milliseconds);
                if (row.operations > 0)
                  json.attribute("gflops", gflops(row.operations, row.milliseconds));
                if (row.bytes > 0)
                  json.attribute("gb_s", gflops(row.bytes, row.milliseconds));
                if (row.bytes > 0 && report.roof)
                  json.attribute("of_roof", ofRoof(*report.roof, row, row.milliseconds));
              });
          });
        });
    });
  });
  stream << "\n";
  return text;
}

/// The fastest observed run in the format of chrome://tracing and Perfetto (complete events, µs).
std::string toTrace(const BenchResult &result) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream json(stream);
  double start = 0;
  json.object([&] {
    json.attributeArray("traceEvents", [&] {
      for (const BenchStep &step : result.fastest) {
        json.object([&] {
          json.attribute("name", step.layers.empty() ? "border" : step.layers);
          json.attribute("ph", "X");
          json.attribute("pid", 1);
          json.attribute("tid", 1);
          json.attribute("ts", 1e3 * start);
          json.attribute("dur", 1e3 * step.milliseconds);
          json.attributeObject("args", [&] { json.attribute("kernel", step.problem); });
        });
        start += step.milliseconds;
      }
    });
  });
  stream << "\n";
  return text;
}

void readWork(const LoadedModel &source, Report &report) {
  if (report.training)
    return;
  Summary summary = summarise(*source.graph, {});
  report.totalMacs = summary.macs;
  for (const LayerRow &row : summary.rows)
    report.macs[row.name] += row.macs;
}

/// The bytes of each step from the report that was written beside the library.
void readTraffic(const std::string &directory, Report &report) {
  std::error_code error;
  for (llvm::sys::fs::directory_iterator entry(directory, error), end; entry != end && !error;
       entry.increment(error)) {
    auto text = llvm::MemoryBuffer::getFile(entry->path());
    if (!llvm::StringRef(entry->path()).ends_with(".report.json") || !text)
      continue;
    auto json = llvm::json::parse((*text)->getBuffer());
    const llvm::json::Object *root = json ? json->getAsObject() : nullptr;
    if (!json)
      llvm::consumeError(json.takeError());
    const llvm::json::Array *steps = root ? root->getArray("steps") : nullptr;
    for (size_t i = 0; steps && i < steps->size(); ++i)
      if (const llvm::json::Object *step = (*steps)[i].getAsObject())
        if (auto layers = step->getString("layers"))
          report.bytes[*layers] += static_cast<double>(step->getInteger("bytes").value_or(0));
  }
}

int run(const ToolOptions &options, const OpenedModel &opened) {
  std::vector<int> threads;
  int64_t height = 0, width = 0;
  double duration = 0;
  if (!readSeconds(options, 3, duration) || !readThreads(options, threads) ||
      !options.extents(options::OPT_size_eq, height, width))
    return 1;
  Report report;
  report.name = llvm::StringRef(options.positional()[0]).rsplit('/').second.str();
  if (report.name.empty())
    report.name = options.positional()[0];
  report.training = options.value(options::OPT_mode_eq, "infer") == "train";
  if (opened.source && !height) // the work of other extents is not known here
    readWork(*opened.source, report);
  if (opened.source && !height && !report.training)
    readTraffic(opened.directory.path, report);
  Instance instance(*opened.library);
  const uint64_t before = residentBytes();
  BenchTensors tensors;
  if (!loadWeights(options, opened, instance))
    return 1;
  if (auto why = tensors.bind(instance, report.training, height, width))
    return fail(*why);
  if (llvm::StringRef(instance.library.variant(instance.model)) == "cuda")
    report.roof = gpuRoof();
  if (report.roof)
    threads = {1}; // of the host
  for (int used : threads) {
    if (instance.library.setThreads(instance.model, used))
      return fail(instance.library.lastError());
    std::string error;
    // Libraries for these instruction sets are of bf16.
    const Products products = productsOf(instance.library.variant(instance.model), "bf16");
    report.peaks.push_back(report.roof ? report.roof->single : measurePeak(used, products));
    report.results.push_back(bench(instance, tensors, duration, error));
    if (!error.empty())
      return fail(error);
    report.results.back().threads = used;
  }
  report.memory = residentBytes() - std::min(before, residentBytes());
  size_t workspace = 0;
  if (!report.training && instance.library.workspaceBytes(instance.model, nullptr, 0, &workspace))
    return fail(instance.library.lastError());
  report.workspace = workspace;
  print(report);
  if (options.has(options::OPT_json_eq))
    if (auto why = files::writeWhole(options.value(options::OPT_json_eq), toJson(report)))
      return fail(*why);
  if (options.has(options::OPT_trace_eq))
    if (auto why = files::writeWhole(options.value(options::OPT_trace_eq), toTrace(report.results.back())))
      return fail(*why);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  int exitCode = 0;
  auto options =
      ToolOptions::parse(argc, argv, options::BenchTool,
                         "segc-bench MODEL.json|libNAME.so|-kernel PROBLEM [-threads 1,2] [flags]", exitCode);
  if (!options)
    return exitCode;
  if (options->has(options::OPT_families)) {
    llvm::outs() << familiesPage();
    return 0;
  }
  if (options->has(options::OPT_kernel_eq))
    return benchKernel(*options);
  for (unsigned id :
       {unsigned(options::OPT_extents_eq), unsigned(options::OPT_all_points), unsigned(options::OPT_near),
        unsigned(options::OPT_limit_eq), unsigned(options::OPT_emit_eq)})
    if (options->has(id))
      return fail("-extents, -all, -near, -limit and -emit go with -kernel");
  if (options->positional().size() != 1)
    return fail("give one model or library (-help shows how)");
  auto opened = openModel(*options, options->positional()[0], {}, exitCode);
  return opened ? run(*options, *opened) : exitCode;
}
